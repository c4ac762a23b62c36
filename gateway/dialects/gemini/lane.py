"""Gemini from a client to an upstream that speaks it too."""

import msgspec

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialects.gemini.mended import signed, unsealed
from gateway.lanes.relay import HOLD_LIMIT, Relay
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import ABSENT
from gateway.wire.sse import Splitter


def fitted(call: Call, capability: Capability, _seal: Seal) -> Call:
    """The call without foreign reasoning; where calls must be signed, they are, if in name only."""
    required = capability.thought_signatures == "required"
    raw = call.fields.get("contents", ABSENT)
    try:
        kept = unsealed(raw)
        made = signed(kept) if required else kept
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # no conversation of ours: the upstream says what is wrong with it
    if kept is not raw:
        call.record.warnings = ["contents:foreign_reasoning_dropped"]
    return call if made is raw else call.with_field("contents", made)


class GeminiRelay(Relay):
    """The byte lane of Gemini, each of whose events tells the usage so far, in its own word."""

    def feed(self, chunk: bytes) -> bytes:
        """As in `Relay`."""
        return self._counted(super().feed(chunk))

    def finish(self) -> bytes:
        """As in `Relay`."""
        return self._counted(super().finish())

    def _counted(self, whole: bytes) -> bytes:
        if b'"usageMetadata"' in whole and len(whole) < HOLD_LIMIT:
            for last in Splitter().feed(whole)[-1:]:
                self._record.usage = self._dialect.digest(last.data).usage or self._record.usage
        return whole
