"""Responses from a client to an upstream that speaks it too."""

import msgspec
from msgspec import Raw

from gateway.call import Call, Record
from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.dialects.responses.errors import write_failed_event
from gateway.dialects.responses.restore_reasoning import restore_items
from gateway.errors import GatewayError
from gateway.lanes.relay import Relay
from gateway.neutral.seal import Seal, sealed_in
from gateway.wire.raw_json import ABSENT, decode
from gateway.wire.sse import Splitter


def adapt_request(call: Call, _capability: Capability, seal: Seal) -> Call:
    """The call with the reasoning that its target minted, and without what others did."""
    call.record.relayed = str(call.target)
    raw, target = call.fields.get("input", ABSENT), call.target
    if target is None or not sealed_in(bytes(raw)):
        return call
    try:
        before = decode(raw, list[Raw])
        items, dropped = restore_items(before, seal, (target.provider, target.model))
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # not a valid input: the upstream names the fault
    if dropped:
        call.record.warnings = ["input:foreign_reasoning_dropped"]
    elif all(new is old for new, old in zip(items, before, strict=True)):
        return call
    return call.with_field("input", items)


class ResponsesRelay(Relay):
    """The byte lane of Responses, whose last event and whose errors hold the whole response."""

    def __init__(self, dialect: Dialect, record: Record) -> None:
        super().__init__(dialect, record)
        self._first_event: bytes | None = None  # the data of the event that began the response
        record.tell = self.write_failure

    def feed(self, chunk: bytes) -> bytes:
        """As it came; the stream is over with the event that ends the response."""
        out = super().feed(chunk)
        if b'"response":' in out:
            if self._first_event is None:
                frames = Splitter().feed(out)
                self._first_event = frames[0].data if frames else None
            # the last event alone: nothing else ends the stream
            last = out.rstrip(b"\r\n").replace(b"\r", b"\n")
            self.done = self._dialect.is_complete(last[last.rfind(b"\n\n") + 1 :])
        return out

    def write_failure(self, error: GatewayError) -> bytes:
        """`response.failed` for the response that was under way, or for one that never began."""
        if self._first_event is None:
            return self._dialect.write_error_event(error, "")
        return write_failed_event(self._first_event, self._tail, error)
