"""The Gemini dialect (`POST /models/{model}:generateContent` and `:streamGenerateContent`).

On the wire the model and whether to stream stand in the URL. Inside the gateway a Gemini call's
fields carry both as the pseudo-members `model` and `stream`, which no body ever shows.
"""

from gateway.dialect import Crossing, Dialect, Digest, Fields, Reader, Writer
from gateway.dialects.gemini import errors, errors_out, request_in
from gateway.dialects.gemini.message_in import read_message
from gateway.dialects.gemini.message_out import write_message
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.gemini.request_out import write_prompt
from gateway.dialects.gemini.wire import NAME
from gateway.dialects.gemini.writer import PING, GeminiWriter
from gateway.errors import GatewayError
from gateway.events import Message, Prompt
from gateway.notes import Notes
from gateway.sse import Frame


class Gemini:
    """The Gemini wire format, both ways."""

    name = NAME
    path = "/models"
    """What comes after it depends on the call: the provider writes it."""
    endings: tuple[bytes, ...] = ()  # a stream ends with the connection, nothing says so
    ping = PING

    def check(self, fields: Fields) -> None:
        """InvalidRequest where a top-level member is missing or mistyped."""
        request_in.check(fields)

    def read_prompt(self, fields: Fields, notes: Notes) -> Prompt:
        """A client's request."""
        return request_in.read_prompt(fields, notes)

    def write_prompt(self, crossing: Crossing) -> Fields:
        """The upstream's request."""
        return write_prompt(crossing)

    def read_message(self, body: bytes, crossing: Crossing) -> Message:
        """A whole answer of an upstream."""
        return read_message(body, crossing)

    def write_message(self, message: Message, crossing: Crossing) -> bytes:
        """A whole answer for the client."""
        return write_message(message, crossing)

    def reader(self, crossing: Crossing) -> Reader:
        """A reader of one upstream stream."""
        return GeminiReader(crossing)

    def writer(self, crossing: Crossing) -> Writer:
        """A writer of one client stream."""
        return GeminiWriter(crossing)

    def digest(self, body: bytes) -> Digest:
        """An error in a 200, and the tokens used."""
        return errors.digest(body)

    def whole(self, tail: bytes) -> bool:
        """Whether a stream that ends so came to its proper end."""
        return errors.whole(tail)

    def stream_error(self, frame: Frame) -> GatewayError | None:
        """The error that a frame carries, if any."""
        return errors.stream_error(frame)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """What an upstream's error answer says."""
        return errors.read_error(status, body)

    def write_error(self, error: GatewayError, request_id: str) -> bytes:
        """An error body for the client."""
        return errors_out.write_error(error, request_id)

    def write_error_event(self, error: GatewayError, request_id: str) -> bytes:
        """An error inside a stream."""
        return errors_out.write_error_event(error, request_id)

    def error_status(self, error: GatewayError) -> int:
        """The status a Gemini client gets."""
        return errors_out.error_status(error)


GEMINI: Dialect = Gemini()
