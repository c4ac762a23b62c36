"""The Chat Completions dialect (`POST /chat/completions`)."""

from gateway.dialect import Crossing, Digest, Fields, Reader, Writer
from gateway.dialects.chat import errors, message, request_in
from gateway.dialects.chat.digest import digest, whole
from gateway.dialects.chat.reader import ChatReader
from gateway.dialects.chat.request_out import write_prompt
from gateway.dialects.chat.wire import NAME
from gateway.dialects.chat.writer import PING, ChatWriter
from gateway.errors import GatewayError
from gateway.events import Message, Prompt
from gateway.notes import Notes
from gateway.sse import Frame


class Chat:
    """See `gateway.dialect.Dialect`."""

    name = NAME
    path = "/chat/completions"
    endings: tuple[bytes, ...] = (b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n", b"data:[DONE]\n\n")
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
        return message.read_message(body, crossing)

    def write_message(self, message_: Message, crossing: Crossing) -> bytes:
        """A whole answer for the client."""
        return message.write_message(message_, crossing)

    def reader(self, crossing: Crossing) -> Reader:
        """A reader of one upstream stream."""
        return ChatReader(crossing)

    def writer(self, crossing: Crossing) -> Writer:
        """A writer of one client stream."""
        return ChatWriter(crossing)

    def digest(self, body: bytes) -> Digest:
        """An error in a 200, and the tokens used."""
        return digest(body)

    def whole(self, tail: bytes) -> bool:
        """Whether the stream ended properly."""
        return whole(tail)

    def stream_error(self, frame: Frame) -> GatewayError | None:
        """The error that a chunk carries."""
        return errors.stream_error(frame)

    def read_error(self, status: int, body: bytes) -> GatewayError:
        """What an upstream's error answer says."""
        return errors.read_error(status, body)

    def write_error(self, error: GatewayError, request_id: str) -> bytes:
        """An error body; Chat's has no place for the request's id."""
        return errors.write_error(error)

    def write_error_event(self, error: GatewayError, request_id: str) -> bytes:
        """An error as the last chunk."""
        return errors.write_error_event(error)

    def error_status(self, error: GatewayError) -> int:
        """The status for a Chat client."""
        return errors.error_status(error)


CHAT = Chat()
