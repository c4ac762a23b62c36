"""What a Gemini client carries in `thoughtSignature` from one of this gateway's answers to a call.

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

SEALED = b'"' + base64.b64encode(PREFIX.encode())
"""How the JSON of a sealed `thoughtSignature` begins."""
_BUNDLE = f"{PREFIX}~"
"""Begins several pieces in one signature; no sealed blob has that letter."""
_SKIPPING = "skip_thought_signature_validator"
_NONE = frozenset({_SKIPPING, base64.b64encode(_SKIPPING.encode()).decode()})
"""What clients write where they have no signature."""
_STANDARD = str.maketrans("-_", "+/")

Reasoning = Thinking | Redacted


class Bundle(msgspec.Struct):
    """The reasoning before a call: what came before any text, and what came after some."""

    early: list[Reasoning] = []
    late: list[Reasoning] = []


class _Piece(msgspec.Struct, array_like=True):
    """One piece of reasoning: its text, and its signature or hidden data."""

    hidden: bool
    text: str
    blob: str | None
    late: bool = False


_pieces = msgspec.json.Decoder(list[_Piece]).decode


def signature(blob: str) -> str:
    """One sealed blob as a `thoughtSignature`."""
    return base64.b64encode(blob.encode()).decode()


def bundle(carried: Bundle) -> str:
    """Several pieces of reasoning as one `thoughtSignature`; every blob in them is sealed."""
    listed = [_piece(each, late=False) for each in carried.early]
    listed += [_piece(each, late=True) for each in carried.late]
    return signature(_BUNDLE + msgspec.json.encode(listed).decode())


def _piece(given: Reasoning, *, late: bool) -> _Piece:
    if isinstance(given, Thinking):
        return _Piece(False, given.text, given.signature, late)
    return _Piece(True, "", given.data, late)


def carried(given: str) -> str | Bundle:
    """What a `thoughtSignature` holds: several pieces, or one blob, sealed or of Google's own."""
    if given in _NONE:
        return Bundle()
    try:
        text = base64.b64decode(standard(given), validate=True).decode()
    except (binascii.Error, ValueError):
        return given
    if not text.startswith(_BUNDLE):
        return text if text.startswith(PREFIX) else given
    try:
        pieces = _pieces(text.removeprefix(_BUNDLE))
    except msgspec.DecodeError:
        return Bundle()
    made = Bundle()
    for piece in pieces:
        (made.late if piece.late else made.early).append(_reasoning(piece))
    return made


def _reasoning(piece: _Piece) -> Reasoning:
    if piece.hidden:
        return Redacted(piece.blob or "", NAME)
    return Thinking(piece.text, piece.blob, NAME)


def standard(data: str) -> str:
    """Base64 in the standard letters, padded: Google's Python SDK writes the URL-safe ones."""
    if "-" in data or "_" in data:
        data = data.translate(_STANDARD)
    return data + "=" * (-len(data) % 4)
