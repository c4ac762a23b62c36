"""What the tests of this build have shown: `data/conformance.json`, or "not measured".

The file holds, for each of anthropic, openai and openrouter, how many `items` there are and how
many `passed`; for each phase the same; and under `tests` those of the whole run.
"""

import importlib.resources
from functools import cache

import msgspec
from msgspec import Struct

NOT_MEASURED = "not measured"
_APIS = ("anthropic", "openai", "openrouter")
_PHASES = (
    "phase_1_multi_modal", "phase_2_openrouter_extensions", "phase_3_openai_advanced",
    "phase_4_anthropic_beta",
)  # fmt: skip


class Count(Struct):
    """How many of the items have passed."""

    items: int
    passed: int

    def __str__(self) -> str:
        return f"{_percent(self)} ({self.passed}/{self.items})"


class Counts(Struct):
    """What the file holds."""

    anthropic: Count | None = None
    openai: Count | None = None
    openrouter: Count | None = None
    phases: dict[str, Count] = {}
    tests: Count | None = None


@cache
def counts() -> Counts:
    """The counts shipped with this build; empty where there are none."""
    file = importlib.resources.files("gateway").joinpath("data/conformance.json")
    try:
        return msgspec.json.decode(file.read_bytes(), type=Counts)
    except (OSError, msgspec.DecodeError):
        return Counts()


def compatibility() -> dict[str, str]:
    """For each API and over all of them, how much of it the tests have shown to work."""
    found = {name: getattr(counts(), name) for name in _APIS}
    said = {name: str(each) if each else NOT_MEASURED for name, each in found.items()}
    return said | {"overall": str(total) if (total := _overall()) else NOT_MEASURED}


def overall() -> str:
    """One figure for all APIs."""
    total = _overall()
    return _percent(total) if total else NOT_MEASURED


def phases() -> dict[str, str]:
    """For each group of features, whether all its tests have passed."""
    return {name: _phase(name) for name in _PHASES}


def status() -> str:
    """All phases in one word."""
    said = {_phase(name) for name in _PHASES}
    if said == {"complete"}:
        return "all_phases_complete"
    return NOT_MEASURED if said == {NOT_MEASURED} else "incomplete"


def tests() -> dict[str, object]:
    """How the tests of this build went; improvements are nothing that a build can know."""
    run = counts().tests
    return {
        "total_tests": run.items if run else NOT_MEASURED,
        "test_success_rate": _percent(run) if run else NOT_MEASURED,
        "batch_processing_improvement": NOT_MEASURED,
        "cache_performance_improvement": NOT_MEASURED,
    }


def _phase(name: str) -> str:
    found = counts().phases.get(name)
    if found is None:
        return NOT_MEASURED
    return "complete" if found.passed == found.items else str(found)


def _overall() -> Count | None:
    found = [getattr(counts(), name) for name in _APIS]
    if not all(found):
        return None
    return Count(sum(each.items for each in found), sum(each.passed for each in found))


def _percent(count: Count) -> str:
    return f"{count.passed * 100 // count.items if count.items else 0}%"
