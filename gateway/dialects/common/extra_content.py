"""`extra_content.google.thought_signature`: where Chat carries the signature of a tool call."""

import base64

import msgspec
from msgspec import Raw, Struct

from gateway.wire.raw_json import ABSENT, decode

SKIP_SIGNATURE = base64.b64encode(b"skip_thought_signature_validator").decode()
"""What stands for the signature of a call that no Gemini model made."""


class _GoogleExtra(Struct):
    thought_signature: str | None = None


class _ExtraContent(Struct):
    google: _GoogleExtra | None = None


def read_signature(extra: Raw) -> str:
    """The signature in an `extra_content` member, or nothing."""
    if extra == ABSENT:
        return ""
    try:
        google = decode(extra, _ExtraContent).google
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return (google.thought_signature if google is not None else None) or ""


def write_extra_content(signature: str) -> dict[str, object]:
    """The member with that signature, or no member."""
    return {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}


def add_extra_signature(extra: Raw, signature: str) -> Raw:
    """An `extra_content` member with that signature added to it."""
    members = _parse_object(extra)
    google = _parse_object(members.get("google", ABSENT))
    google["thought_signature"] = Raw(msgspec.json.encode(signature))
    return Raw(msgspec.json.encode(members | {"google": google}))


def _parse_object(raw: Raw) -> dict[str, Raw]:
    try:
        return decode(raw, dict[str, Raw]) if bytes(raw).startswith(b"{") else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
