"""The `thoughtSignature` in which a Gemini client carries reasoning of other upstreams.

The member is base64 of what another upstream minted, sealed. Clients drop the parts that show a
model's thoughts but keep what stands on a function call, as Gemini's own API demands of them: so
the first call of an answer carries the whole of the reasoning before it.
"""

import base64
import binascii

import msgspec

from gateway.dialects.gemini.wire import NAME
from gateway.neutral.events import Redacted, Thinking
from gateway.neutral.seal import PREFIX

SEALED_JSON_PREFIX = b'"' + base64.b64encode(PREFIX.encode())
"""The first bytes of the JSON of a sealed `thoughtSignature`."""
_BUNDLE_PREFIX = f"{PREFIX}~"
"""Begins a bundle of several pieces; no sealed blob contains this character there."""
_SKIP_VALIDATION = "skip_thought_signature_validator"
_PLACEHOLDERS = frozenset({_SKIP_VALIDATION, base64.b64encode(_SKIP_VALIDATION.encode()).decode()})
"""Values that clients send where they have no signature."""
_STANDARD_ALPHABET = str.maketrans("-_", "+/")

ReasoningPart = Thinking | Redacted


class ReasoningBundle(msgspec.Struct):
    """The reasoning before a call: `early` before any text, `late` after some."""

    early: list[ReasoningPart] = []
    late: list[ReasoningPart] = []


class _BundledPart(msgspec.Struct, array_like=True):
    """One piece of reasoning: its text, and its signature or hidden data."""

    hidden: bool
    text: str
    blob: str | None
    late: bool = False


_decode_parts = msgspec.json.Decoder(list[_BundledPart]).decode


def encode_signature(blob: str) -> str:
    """One sealed blob as a `thoughtSignature`."""
    return base64.b64encode(blob.encode()).decode()


def encode_bundle(carried: ReasoningBundle) -> str:
    """Several pieces of reasoning as one `thoughtSignature`; every blob in them is sealed."""
    listed = [_bundle_part(each, late=False) for each in carried.early]
    listed += [_bundle_part(each, late=True) for each in carried.late]
    return encode_signature(_BUNDLE_PREFIX + msgspec.json.encode(listed).decode())


def _bundle_part(given: ReasoningPart, *, late: bool) -> _BundledPart:
    if isinstance(given, Thinking):
        return _BundledPart(False, given.text, given.signature, late)
    return _BundledPart(True, "", given.data, late)


def parse_signature(given: str) -> str | ReasoningBundle:
    """The content of a `thoughtSignature`: a bundle, or one blob, sealed or Google's own."""
    if given in _PLACEHOLDERS:
        return ReasoningBundle()
    try:
        text = base64.b64decode(to_standard_base64(given), validate=True).decode()
    except (binascii.Error, ValueError):
        return given
    if not text.startswith(_BUNDLE_PREFIX):
        return text if text.startswith(PREFIX) else given
    try:
        pieces = _decode_parts(text.removeprefix(_BUNDLE_PREFIX))
    except msgspec.DecodeError:
        return ReasoningBundle()
    made = ReasoningBundle()
    for piece in pieces:
        (made.late if piece.late else made.early).append(_unbundle_part(piece))
    return made


def _unbundle_part(piece: _BundledPart) -> ReasoningPart:
    if piece.hidden:
        return Redacted(piece.blob or "", NAME)
    return Thinking(piece.text, piece.blob, NAME)


def to_standard_base64(data: str) -> str:
    """Base64 in the standard alphabet, padded; Google's Python SDK writes the URL-safe one."""
    if "-" in data or "_" in data:
        data = data.translate(_STANDARD_ALPHABET)
    return data + "=" * (-len(data) % 4)
