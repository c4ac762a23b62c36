"""The reasoning of an answer that waits for the tool call which carries it to the client."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.signatures import CALL_SIGNATURE, GEMINI_CALL_SIGNATURE, sealed_kind
from gateway.dialects.gemini.signature_bundle import (
    ReasoningBundle,
    ReasoningPart,
    encode_bundle,
    encode_signature,
)
from gateway.dialects.gemini.wire import NAME
from gateway.neutral.events import Redacted, Thinking


class PendingReasoning:
    """The reasoning since the last tool call, which the next one carries."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._bundle = ReasoningBundle()
        self._after_text = False

    def mark_text(self) -> None:
        """Records that text was written since the last call."""
        self._after_text = True

    def add_reasoning(self, piece: ReasoningPart) -> None:
        """Adds reasoning as its upstream sent it; without text and signature it adds nothing."""
        if isinstance(piece, Redacted) or piece.text or piece.signature:
            (self._bundle.late if self._after_text else self._bundle.early).append(piece)

    def take_signature(self) -> Block:
        """The `thoughtSignature` member of the next call; empty if there was no reasoning."""
        kept, self._bundle, self._after_text = self._bundle, ReasoningBundle(), False
        pieces = [*kept.early, *kept.late]
        if not pieces:
            return {}
        last = pieces[-1]
        if isinstance(last, Redacted) and last.origin == GEMINI_CALL_SIGNATURE:
            return {"thoughtSignature": last.data}  # Google's own, unchanged
        if isinstance(last, Redacted) and last.origin == CALL_SIGNATURE and len(pieces) == 1:
            return {
                "thoughtSignature": encode_signature(
                    self._conversion.sealed(CALL_SIGNATURE, last.data)
                )
            }
        made = ReasoningBundle(
            [_seal_reasoning(piece, self._conversion) for piece in kept.early],
            [_seal_reasoning(piece, self._conversion) for piece in kept.late],
        )
        return {"thoughtSignature": encode_bundle(made)}


def _seal_reasoning(piece: ReasoningPart, conversion: Conversion) -> ReasoningPart:
    """The reasoning with the signatures and data of other upstreams sealed."""
    if isinstance(piece, Redacted):
        return Redacted(conversion.sealed(sealed_kind(piece.origin), piece.data), NAME)
    blob = None if piece.signature is None else conversion.sealed("signature", piece.signature)
    return Thinking(piece.text, blob, NAME)
