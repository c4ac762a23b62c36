"""Readers of a request's members, for the table that each dialect has of them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.common.shapes import Number
from gateway.errors import InvalidRequest
from gateway.neutral.events import Prompt
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import LIST, NUMBER, member, opens, present

MemberReader = Callable[[Raw, Prompt, LossReport], None]
"""Reads the value of one member into the prompt. InvalidRequest where it is wrong."""


def require_member(fields: Fields, name: str) -> Raw:
    """The value of a member; InvalidRequest where it is missing."""
    if name not in fields:
        raise InvalidRequest(f"{name}: Field required", param=name)
    return fields[name]


def check_types(fields: Fields, types: Mapping[str, type[object]]) -> None:
    """InvalidRequest for a member of another type. Items of lists are not checked."""
    for name, raw in fields.items():
        type = types.get(name)  # msgspec's word
        if type is None or (type is list and opens(raw) == LIST):
            continue
        if present(raw):
            member(raw, type, name)


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
    """A reader of a member that other dialects do not have; empty values have no effect."""

    def read(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
        if bytes(raw) not in _EMPTY:
            notes.drop(path)

    return read


def refuse(path: str, reason: str) -> MemberReader:
    """A reader of a member without which the answer would be wrong: raises InvalidRequest."""

    def read(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
        notes.refuse(path, reason)

    return read


def ignore(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    """A reader of a member that cannot change the answer."""


_EMPTY = (b"0", b"0.0", b"{}", b"[]", b"false")
