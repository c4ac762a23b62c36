"""Wire shapes that more than one dialect has."""

import msgspec
from msgspec import Raw, Struct

from gateway.wire.raw_json import decode

Number = int | float


def is_json_object(text: str) -> bool:
    """Whether the text is one JSON object."""
    try:
        decode(text.encode("utf-8", "replace"), dict[str, Raw])
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


class FileFile(Struct):
    """`FileFile`."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class ModerationMode(Struct):
    """`ModerationPolicyInput` and `ModerationPolicyOutput`."""

    mode: str = "score"


class ModerationPolicy(Struct):
    """`ModerationPolicy`."""

    input: ModerationMode | None = None
    output: ModerationMode | None = None


class Moderation(Struct):
    """`Moderation`."""

    policy: ModerationPolicy | None = None
