"""The OpenAI Responses dialect (`POST /v1/responses`)."""

from gateway.dialect import Crossing, Dialect, Digest, Fields, Reader, Writer
from gateway.dialects.responses import errors, request_in
from gateway.dialects.responses.digest import digest
from gateway.dialects.responses.message_in import read_message
from gateway.dialects.responses.message_out import write_message
from gateway.dialects.responses.reader import ResponsesReader
from gateway.dialects.responses.request_out import write_prompt
from gateway.dialects.responses.wire import NAME
from gateway.dialects.responses.writer import PING, ResponsesWriter
from gateway.errors import GatewayError
from gateway.events import Message, Prompt
from gateway.notes import Notes
from gateway.sse import Frame


class Responses:
    """The Responses wire format, both ways; see `gateway.dialect.Dialect`."""

    name = NAME
    path = "/responses"
    endings: tuple[bytes, ...] = ()
    """None: the last event ends with the whole response, in any spelling; see `whole`."""
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
        return ResponsesReader(crossing)

    def writer(self, crossing: Crossing) -> Writer:
        """A writer of one client stream."""
        return ResponsesWriter(crossing)

    def digest(self, body: bytes) -> Digest:
        """An error in a 200, and the tokens used."""
        return digest(body)

    def whole(self, tail: bytes) -> bool:
        """Whether a stream that ends so came to its proper end."""
        return errors.whole(tail)

    def stream_error(self, frame: Frame) -> GatewayError | None:
        """The error that a frame carries, if any."""
        return errors.stream_error(frame)

    def says_nothing(self, frame: Frame) -> bool:
        """Whether a frame only tells of an answer to come: an error may still be a status."""
        return errors.says_nothing(frame)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """What an upstream's error answer says."""
        return errors.read_error(status, body)

    def write_error(self, error: GatewayError, request_id: str) -> bytes:
        """An error body; OpenAI's has no place for the request's id."""
        return errors.write_error(error)

    def write_error_event(self, error: GatewayError, request_id: str) -> bytes:
        """A whole stream that failed before its answer began."""
        return errors.write_error_event(error, request_id)

    def error_status(self, error: GatewayError) -> int:
        """The status an OpenAI client understands."""
        return errors.error_status(error)


RESPONSES: Dialect = Responses()
