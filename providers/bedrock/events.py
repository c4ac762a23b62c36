"""A stream of AWS's frames as the server-sent events of the Messages API."""

import msgspec
from msgspec import Struct

from gateway.errors import BadAnswer, Cut, GatewayError
from gateway.reply import Source, linger
from gateway.wire.raw_json import decode
from gateway.wire.sse import frame
from providers.bedrock.errors import translate_error
from providers.bedrock.eventstream import EventStreamDecoder, EventStreamMessage


class BedrockEventSource:
    """A source of server-sent events out of a source of frames."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._decoder = EventStreamDecoder()
        self._fault: GatewayError | None = None
        self._over = False

    async def read(self) -> bytes:
        """The events that the next chunks complete. BadAnswer, Cut."""
        while not self._over:
            if self._fault is not None:
                await self.aclose()
                raise self._fault
            chunk = await self._source.read()
            if chunk:
                out = self._translate_messages(self._decoder.feed(chunk))
                if out:
                    return out
            elif self._decoder.has_pending:
                self._fault = Cut("the upstream closed the stream in the middle of an event")
            else:
                self._over = True
        return b""

    def _translate_messages(self, messages: list[EventStreamMessage]) -> bytes:
        out: list[bytes] = []
        self._fault = self._decoder.fault
        for message in messages:
            try:
                out.append(translate_message(message))
            except BadAnswer as fault:
                self._fault = fault
                break
        return out[0] if len(out) == 1 else b"".join(out)

    def linger(self) -> bool:
        """As the source does."""
        return linger(self._source)

    async def aclose(self) -> None:
        """Let go of the source."""
        self._over = True
        await self._source.aclose()


class _ChunkPayload(Struct):
    data: bytes = msgspec.field(name="bytes", default=b"")  # base64


class _EventType(Struct):
    type: str = ""


def translate_message(message: EventStreamMessage) -> bytes:
    """What a message says, as one event; empty where it says nothing. BadAnswer."""
    headers = message.headers
    if headers.get(":message-type", "event") != "event":
        return _translate_exception(headers, message.payload)
    if headers.get(":event-type") != "chunk":
        return b""
    try:
        data = decode(message.payload, _ChunkPayload).data
        name = decode(data, _EventType).type
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadAnswer("the upstream sent an event that is no JSON") from None
    if not name:
        return b""
    if b"\n" in data or b"\r" in data:  # between members: a string of JSON has neither
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return frame(name.encode(), data)


def _translate_exception(headers: dict[str, str], payload: bytes) -> bytes:
    """An exception of the model's or an error of the connection's, as a stream tells one."""
    name = headers.get(":exception-type") or headers.get(":error-code") or "InternalServerException"
    found = translate_error(name, 500, payload, headers.get(":error-message", ""))
    assert found is not None
    return frame(b"error", found.body)
