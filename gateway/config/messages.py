"""Validation errors of msgspec reworded for an operator."""

import difflib
import re
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from msgspec import ValidationError

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
    "datetime": "a date and time",
    "date": "a date",
    "time": "a time of day",
}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_FORM = re.compile(
    r"Expected `(?P<want>[^`]+)`"
    r"(?: (?P<length>of length )?(?P<sign>[<>]=?) (?P<bound>\S+))?"
    r"(?:, got `(?P<got>[^`]+)`)?"
    r"(?P<rest>.*)"
)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the valid name closest to a misspelt one, or ""."""
    by_fold = {each.casefold().replace("-", "_"): each for each in valid}
    found = difflib.get_close_matches(name.casefold().replace("-", "_"), by_fold, 1, 0.6)
    return by_fold[found[0]] if found else ""


def listed(names: Iterable[str]) -> str:
    """Return names quoted and separated by commas."""
    return ", ".join(f'"{name}"' for name in names)


def plain(fault: ValidationError, kind: Any, raw: object) -> tuple[str, str, str]:
    """Return the message, the path below the value that was read, and the closest valid name."""
    text, _, below = str(fault).partition(" - at `$")
    choices = [str(each) for each in get_args(kind)] if get_origin(kind) is Literal else []
    if choices:
        hint = nearest(raw, choices) if isinstance(raw, str) else ""
        return f"expected one of {listed(choices)}", "", hint
    found = _FORM.fullmatch(text)
    if not found:
        return text[:1].lower() + text[1:], below.rstrip("`"), ""
    want = " or ".join(_TYPES.get(each, each) for each in found["want"].split(" | "))
    want = want.replace(" or nothing", "")
    if found["sign"]:
        of = "of a length of " if found["length"] else "of "
        want = f"{want} {of}{_BOUNDS[found['sign']]} {float(found['bound']):g}"
    got = f", got {_TYPES.get(found['got'], found['got'])}" if found["got"] else ""
    return f"expected {want}{found['rest']}{got}", below.rstrip("`"), ""
