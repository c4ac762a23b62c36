"""What an example is, and what of it an answer lacks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.seeds.house import KEY, System

Shape = Mapping[str, Any] | list[Any]
SHOWN = {"x-api-key": KEY}
FORMS = [
    re.compile(form)
    for form in (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", r"-?\d+%$", r"\d+% \(\d+/\d+\)$", r"[\d.]+ms$",
        r"https?://", "sha256:", "msg_", "chatcmpl-", "batch-", "/",
    )
]  # fmt: skip
"""Of texts: what an example shows in one of them is so in an answer too."""


@dataclass(frozen=True)
class Example:
    """A request of a reference, and the answer that the reference shows."""

    name: str
    system: System
    call: str
    """Method and path."""
    shows: Shape
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    fixed: Mapping[str, object] = field(default_factory=dict)
    """Values that the reference fixes, by their dotted place; a pattern is how a text begins."""
    after: "Example | None" = None
    """What is sent first; members of its answer may stand in the path."""
    lacks: frozenset[str] = frozenset()
    """Places that an answer may lack, or have null; `differs` says why."""
    differs: str = ""
    """In what our contract differs on purpose."""

    @property
    def path(self) -> str:
        """The path with its query."""
        return self.call.partition(" ")[2]

    @property
    def method(self) -> str:
        """The method."""
        return self.call.partition(" ")[0]


def gaps(shown: Any, found: Any, at: str = "") -> list[str]:
    """The places where an answer has not what an example shows: a member, its type, a form."""
    if shown is None:
        return []
    if _kind(found) is not _kind(shown):
        return [at]
    if isinstance(shown, Mapping):
        return [
            gap
            for name, value in shown.items()
            for gap in (
                gaps(value, found[name], f"{at}.{name}") if name in found else [f"{at}.{name}"]
            )
        ]
    if isinstance(shown, list) and shown:
        if len(found) == 0:
            return [f"{at}[0]"]
        pairs = zip(shown, found, strict=False)
        return [
            gap for i, (one, other) in enumerate(pairs) for gap in gaps(one, other, f"{at}[{i}]")
        ]
    if isinstance(shown, str):
        return [at for form in FORMS if form.match(shown) and not form.match(found)]
    return []


def _kind(value: Any) -> type:
    if isinstance(value, Mapping):
        return dict
    return float if type(value) is int else type(value)


def others(fixed: Mapping[str, object], found: Any) -> dict[str, Any]:
    """The places where an answer has another value than the reference fixes."""
    values = {place: _at(found, place) for place in fixed}
    return {place: value for place, value in values.items() if not _same(fixed[place], value)}


def _at(found: Any, place: str) -> Any:
    for step in place.split("."):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def _same(fixed: object, value: Any) -> bool:
    return bool(fixed.match(value)) if isinstance(fixed, re.Pattern) else fixed == value
