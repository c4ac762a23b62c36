"""What must change in a Gemini conversation although its upstream speaks Gemini: mostly nothing.

Reasoning that this gateway sealed came from an upstream of another dialect: Google would refuse it.
Newer models refuse a turn whose calls have no signature at all, as other upstreams leave them.
"""

import itertools

import msgspec
from msgspec import Raw

from gateway.dialects.common.extra_content import SKIP
from gateway.dialects.gemini.carried import SEALED
from gateway.wire.raw_json import ABSENT, decode, present

_SIGNATURES = ("thoughtSignature", "thought_signature")
_CALLS = ("functionCall", "function_call")
_CALL_MARKS = (b'"functionCall"', b'"function_call"')
_NULL = Raw(b"null")
_MODEL = b'"model"'
_SKIP = Raw(msgspec.json.encode(SKIP))
Members = dict[str, Raw]


def unsealed(contents: Raw) -> Raw:
    """The contents without what this gateway sealed; themselves where nothing is sealed.

    msgspec.ValidationError where they are no contents.
    """
    if SEALED not in bytes(contents):
        return contents
    kept = [made for content in decode(contents, list[Raw]) if (made := _pruned(content))]
    return Raw(msgspec.json.encode(kept))


def signed(contents: Raw) -> Raw:
    """The contents with the word that skips the check in each of the model's turns without any
    signature on its calls; themselves where there is no such turn.

    msgspec.ValidationError where they are no contents.
    """
    if not _calls(contents):
        return contents
    given = decode(contents, list[Raw])
    made: list[Raw] = []
    for is_model, neighbours in itertools.groupby(given, _is_model):
        turn = list(neighbours)
        made += _signed_turn(turn) if is_model else turn
    if all(new is old for new, old in zip(made, given, strict=True)):
        return contents
    return Raw(msgspec.json.encode(made))


def _calls(raw: Raw) -> bool:
    return any(mark in bytes(raw) for mark in _CALL_MARKS)


def _is_model(content: Raw) -> bool:
    return bytes(decode(content, Members).get("role", ABSENT)) == _MODEL


def _signed_turn(turn: list[Raw]) -> list[Raw]:
    """The model's neighbouring contents, the first of their calls signed if none is."""
    first = next((at for at, content in enumerate(turn) if _calls(content)), None)
    if first is None or any(_has_signature(content) for content in turn):
        return turn
    members = decode(turn[first], Members)
    parts = decode(members.get("parts", _NULL), list[Raw])
    for at, part in enumerate(parts):
        if _calls(part):
            parts[at] = Raw(msgspec.json.encode(decode(part, Members) | {_SIGNATURES[0]: _SKIP}))
            break
    turn[first] = Raw(msgspec.json.encode(members | {"parts": parts}))
    return turn


def _has_signature(content: Raw) -> bool:
    if not _calls(content):
        return False
    parts = decode(decode(content, Members).get("parts", _NULL), list[Raw])
    return any(
        present(decode(part, Members).get(name, ABSENT))
        for part in parts
        if _calls(part)
        for name in _SIGNATURES
    )


def _pruned(content: Raw) -> Raw | None:
    """A content without the sealed parts of it; None where nothing else is in it."""
    if SEALED not in bytes(content):
        return content
    members = decode(content, Members)
    parts = [
        made for part in decode(members.get("parts", _NULL), list[Raw]) if (made := _bare(part))
    ]
    return Raw(msgspec.json.encode(members | {"parts": parts})) if parts else None


def _bare(part: Raw) -> Raw | None:
    """A part without a sealed signature; None where it was there for nothing else."""
    if SEALED not in bytes(part):
        return part
    members = decode(part, Members)
    for name in _SIGNATURES:
        if bytes(members.get(name, ABSENT)).startswith(SEALED):
            del members[name]
    said = [name for name in members if name != "thought" and bytes(members[name]) != b'""']
    is_thought = bytes(members.get("thought", ABSENT)) == b"true"
    return Raw(msgspec.json.encode(members)) if said and not is_thought else None
