"""Gemini from a client to an upstream that speaks it too."""

import msgspec

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialects.gemini.repair import add_placeholder_signatures, strip_sealed
from gateway.lanes.relay import HOLD_LIMIT, Relay
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import ABSENT
from gateway.wire.sse import Splitter


def adapt_request(call: Call, capability: Capability, _seal: Seal) -> Call:
    """The call without foreign reasoning; where calls must be signed, they are, if in name only."""
    required = capability.thought_signatures == "required"
    raw = call.fields.get("contents", ABSENT)
    try:
        kept = strip_sealed(raw)
        made = add_placeholder_signatures(kept) if required else kept
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # no conversation of ours: the upstream says what is wrong with it
    if kept is not raw:
        call.record.warnings = ["contents:foreign_reasoning_dropped"]
    return call if made is raw else call.with_field("contents", made)


class GeminiRelay(Relay):
    """The byte lane of Gemini, each of whose events tells the usage so far, in its own word."""

    def feed(self, chunk: bytes) -> bytes:
        """As in `Relay`."""
        return self._record_usage(super().feed(chunk))

    def finish(self) -> bytes:
        """As in `Relay`."""
        return self._record_usage(super().finish())

    def _record_usage(self, whole: bytes) -> bytes:
        if b'"usageMetadata"' in whole and len(whole) < HOLD_LIMIT:
            for last in Splitter().feed(whole)[-1:]:
                self._record.usage = self._dialect.summarize(last.data).usage or self._record.usage
        return whole
