"""Readers of a request's members, for the table that each dialect has of them."""

import math
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from gateway.dialects.common.shapes import Number
from gateway.errors import InvalidRequest
from gateway.neutral.events import Prompt
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import NUMBER, member

MemberReader = Callable[[Raw, Prompt, LossReport], None]
"""Reads the value of one member into the prompt. InvalidRequest where it is wrong."""


def assign(path: str, type: Any, attribute: str = "", *, overrides: bool = True) -> MemberReader:
    """A reader that puts the value of that type into an attribute, by default the one of its name.

    One that does not override leaves what another member, earlier or later, says.
    """
    name = attribute or path

    def read(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
        value = member(raw, type, path)
        if overrides or getattr(prompt, name) is None:
            setattr(prompt, name, value)

    return read


def assign_integer(
    path: str, attribute: str = "", *, least: int = 1, overrides: bool = True
) -> MemberReader:
    """As `assign`, for a count of `least` or more."""
    name = attribute or path

    def read(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
        value = require_integer(member(raw, NUMBER, path), path, least)
        if overrides or getattr(prompt, name) is None:
            setattr(prompt, name, value)

    return read


def require_integer(value: Number, path: str, least: int = 1) -> int:
    """A count that JSON may write as 100.0; InvalidRequest where it is none."""
    if not math.isfinite(value) or int(value) != value:
        raise InvalidRequest(f"{path}: must be an integer", param=path)
    if value < least:
        raise InvalidRequest(f"{path}: must be at least {least}", param=path)
    return int(value)


def drop(path: str) -> MemberReader:
    """A reader for what other dialects have no word for; an empty value asks for nothing."""

    def read(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
        if bytes(raw) not in _EMPTY:
            notes.drop(path)

    return read


def refuse(path: str, reason: str) -> MemberReader:
    """A reader for what would change the answer if it were left out: always InvalidRequest."""

    def read(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
        notes.refuse(path, reason)

    return read


def ignore(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """A reader for what cannot change the answer."""


_EMPTY = (b"0", b"0.0", b"{}", b"[]", b"false")
