"""What the tests of this build have shown of each API: `data/conformance.json`.

`python -m tests.conformance` writes the file. Nothing here makes a figure up: without the file
there is none.
"""

import importlib.resources
from functools import cache

import msgspec
from msgspec import Struct


class Count(Struct, frozen=True):
    """How many of some items have passed; as text, "85% (70/82)"."""

    passed: int
    total: int

    @property
    def percent(self) -> str:
        """Rounded down: 100% only where all have passed."""
        return f"{self.passed * 100 // self.total if self.total else 0}%"

    def __str__(self) -> str:
        return f"{self.percent} ({self.passed}/{self.total})"


class Missing(Struct, frozen=True):
    """An item that has not passed, and why."""

    item: str
    reason: str


class Family(Count, frozen=True):
    """An API's items."""

    missing: list[Missing]


class Conformance(Struct, frozen=True, kw_only=True):
    """The file."""

    version: str
    """The version of the program that was tested."""
    anthropic: Family
    openai: Family
    openrouter: Family
    overall: Family
    phases: dict[str, Count] = {}
    """The groups of features that some items are also counted in."""
    checks: Count | None = None
    """The requests made: an item is checked on several ways, whole and streamed."""


@cache
def read() -> Conformance | None:
    """The figures shipped with this build, read once; None where there are none."""
    file = importlib.resources.files("gateway").joinpath("data/conformance.json")
    try:
        return msgspec.json.decode(file.read_bytes(), type=Conformance)
    except (OSError, msgspec.MsgspecError):
        return None


def headers() -> list[tuple[bytes, bytes]]:
    """`X-API-Compatibility` for every answer; nothing where there are no figures."""
    found = read()
    return [(b"x-api-compatibility", str(found.overall).encode())] if found else []
