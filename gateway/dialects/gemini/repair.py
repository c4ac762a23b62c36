"""Changes to a Gemini conversation that stays in its dialect; most need none.

Google refuses reasoning that this gateway sealed, as it is from an upstream of another dialect.
Newer models refuse a turn whose calls have no signature, as those of other upstreams.
"""

import itertools

import msgspec
from msgspec import Raw

from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from gateway.dialects.gemini.signature_bundle import SEALED_JSON_PREFIX
from gateway.wire.raw_json import ABSENT, decode, present

_SIGNATURE_MEMBERS = ("thoughtSignature", "thought_signature")
_CALLS = ("functionCall", "function_call")
_CALL_MARKS = (b'"functionCall"', b'"function_call"')
_NULL = Raw(b"null")
_MODEL_ROLE = b'"model"'
_SKIP_SIGNATURE = Raw(msgspec.json.encode(SKIP_SIGNATURE))
Members = dict[str, Raw]


def strip_sealed(contents: Raw) -> Raw:
    """The contents without sealed reasoning; the same object if there is none.

    msgspec.ValidationError if they are not contents.
    """
    if SEALED_JSON_PREFIX not in bytes(contents):
        return contents
    kept = [made for content in decode(contents, list[Raw]) if (made := _strip_content(content))]
    return Raw(msgspec.json.encode(kept))


def add_placeholder_signatures(contents: Raw) -> Raw:
    """The contents with a placeholder signature in each turn of the model with unsigned calls only.

    The same object if there is no such turn. msgspec.ValidationError if they are not contents.
    """
    if not _has_calls(contents):
        return contents
    given = decode(contents, list[Raw])
    made: list[Raw] = []
    for is_model, neighbours in itertools.groupby(given, _is_model):
        turn = list(neighbours)
        made += _sign_turn(turn) if is_model else turn
    if all(new is old for new, old in zip(made, given, strict=True)):
        return contents
    return Raw(msgspec.json.encode(made))


def _has_calls(raw: Raw) -> bool:
    return any(mark in bytes(raw) for mark in _CALL_MARKS)


def _is_model(content: Raw) -> bool:
    return bytes(decode(content, Members).get("role", ABSENT)) == _MODEL_ROLE


def _sign_turn(turn: list[Raw]) -> list[Raw]:
    """Adjacent contents of the model; their first call gets a signature if none has one."""
    first = next((at for at, content in enumerate(turn) if _has_calls(content)), None)
    if first is None or any(_has_signature(content) for content in turn):
        return turn
    members = decode(turn[first], Members)
    parts = decode(members.get("parts", _NULL), list[Raw])
    for at, part in enumerate(parts):
        if _has_calls(part):
            parts[at] = Raw(
                msgspec.json.encode(
                    decode(part, Members) | {_SIGNATURE_MEMBERS[0]: _SKIP_SIGNATURE}
                )
            )
            break
    turn[first] = Raw(msgspec.json.encode(members | {"parts": parts}))
    return turn


def _has_signature(content: Raw) -> bool:
    if not _has_calls(content):
        return False
    parts = decode(decode(content, Members).get("parts", _NULL), list[Raw])
    return any(
        present(decode(part, Members).get(name, ABSENT))
        for part in parts
        if _has_calls(part)
        for name in _SIGNATURE_MEMBERS
    )


def _strip_content(content: Raw) -> Raw | None:
    """A content without its sealed parts; None if it has no others."""
    if SEALED_JSON_PREFIX not in bytes(content):
        return content
    members = decode(content, Members)
    parts = [
        made
        for part in decode(members.get("parts", _NULL), list[Raw])
        if (made := _strip_part(part))
    ]
    return Raw(msgspec.json.encode(members | {"parts": parts})) if parts else None


def _strip_part(part: Raw) -> Raw | None:
    """A part without a sealed signature; None if it held nothing else."""
    if SEALED_JSON_PREFIX not in bytes(part):
        return part
    members = decode(part, Members)
    for name in _SIGNATURE_MEMBERS:
        if bytes(members.get(name, ABSENT)).startswith(SEALED_JSON_PREFIX):
            del members[name]
    said = [name for name in members if name != "thought" and bytes(members[name]) != b'""']
    is_thought = bytes(members.get("thought", ABSENT)) == b"true"
    return Raw(msgspec.json.encode(members)) if said and not is_thought else None
