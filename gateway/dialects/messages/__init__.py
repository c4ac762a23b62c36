"""The Anthropic Messages dialect (`POST /v1/messages`)."""

from gateway.dialect import Crossing, Dialect, Digest, Fields, Reader, Writer
from gateway.dialects.messages import errors, request_in, request_out
from gateway.dialects.messages.message import read_message, write_message
from gateway.dialects.messages.reader import MessagesReader
from gateway.dialects.messages.writer import PING, MessagesWriter
from gateway.errors import GatewayError
from gateway.events import Message, Prompt
from gateway.notes import Notes
from gateway.sse import Frame


class Messages:
    """The Messages wire format, both ways."""

    name = "messages"
    path = "/messages"
    endings: tuple[bytes, ...] = (
        b'"type":"message_stop"}\n\n',
        b'"type": "message_stop"}\n\n',
        b'"type":"message_stop"}\r\n\r\n',
    )
    ping = PING

    def check(self, fields: Fields) -> None:
        """InvalidRequest where a top-level member is missing or mistyped."""
        request_in.check_fields(fields)

    def read_prompt(self, fields: Fields, notes: Notes) -> Prompt:
        """A client's request."""
        return request_in.read_prompt(fields, notes)

    def write_prompt(self, crossing: Crossing) -> Fields:
        """The upstream's request."""
        return request_out.write_prompt(crossing)

    def read_message(self, body: bytes, crossing: Crossing) -> Message:
        """A whole answer of an upstream."""
        return read_message(body, crossing)

    def write_message(self, message: Message, crossing: Crossing) -> bytes:
        """A whole answer for the client."""
        return write_message(message, crossing)

    def reader(self, crossing: Crossing) -> Reader:
        """A reader of one upstream stream."""
        return MessagesReader(crossing)

    def writer(self, crossing: Crossing) -> Writer:
        """A writer of one client stream."""
        return MessagesWriter(crossing)

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
        return errors.write_error(error, request_id)

    def write_error_event(self, error: GatewayError, request_id: str) -> bytes:
        """An error inside a stream."""
        return errors.write_error_event(error, request_id)

    def error_status(self, error: GatewayError) -> int:
        """The status a Messages client gets."""
        return errors.error_status(error)


MESSAGES: Dialect = Messages()
