"""The same-dialect lane of Gemini."""

import msgspec

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialects.gemini.repair import add_placeholder_signatures, strip_sealed
from gateway.lanes.relay import HOLD_LIMIT, Relay
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import ABSENT
from gateway.wire.sse import Splitter


def adapt_request(call: Call, capability: Capability, _seal: Seal) -> Call:
    """The call without sealed reasoning, with placeholder signatures if the model needs some."""
    required = capability.thought_signatures == "required"
    raw = call.fields.get("contents", ABSENT)
    try:
        kept = strip_sealed(raw)
        made = add_placeholder_signatures(kept) if required else kept
    except (msgspec.ValidationError, UnicodeDecodeError):
        return call  # invalid contents: the upstream reports the error
    if kept is not raw:
        call.record.warnings = ["contents:foreign_reasoning_dropped"]
    return call if made is raw else call.with_field("contents", made)


class GeminiRelay(Relay):
    """A relay for Gemini streams, each of whose events holds the cumulative usage."""

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
