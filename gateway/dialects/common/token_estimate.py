"""Token counts for calls whose upstream reports none: four bytes of text count as one token."""

from gateway.dialect import Conversion, Fields
from gateway.neutral.events import Usage

_BYTES_PER_TOKEN = 4


def estimate_input(fields: Fields, *members: str) -> int:
    """The estimated tokens of those members of a request; absent members count as none."""
    size = 0
    for name in members:
        if name in fields:
            size += memoryview(fields[name]).nbytes
    return -(-size // _BYTES_PER_TOKEN)


def usage_or_estimate(
    usage: Usage | None, written: int, member: str, conversion: Conversion
) -> Usage:
    """The upstream's counts, else an estimate, noted for `member`.

    `written` is the length of the answer's text, in bytes or characters.
    """
    if usage is not None:
        return usage
    conversion.notes.note(member, "estimated")
    return Usage(conversion.input_estimate, -(-written // _BYTES_PER_TOKEN))
