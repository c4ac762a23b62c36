"""What a run counts to, and what of shipped figures it does not bear out."""

from collections.abc import Iterable, Sequence

from gateway.telemetry.conformance import Conformance, Count, Family, Missing
from gateway.version import version
from tests.conformance.run import Result

PHASES = (
    "phase_1_multi_modal", "phase_2_openrouter_extensions", "phase_3_openai_advanced",
    "phase_4_anthropic_beta",
)  # fmt: skip


def counted(results: Sequence[Result]) -> Conformance:
    """The figures of a run."""
    checks = sum(result.checks for result in results)
    faults = sum(len(result.faults) + bool(result.missing) for result in results)
    return Conformance(
        version=version(),
        anthropic=_family(_of(results, "anthropic")),
        openai=_family(_of(results, "openai")),
        openrouter=_family(_of(results, "openrouter")),
        overall=_family(results, named=True),
        phases={name: _count(r for r in results if r.item.phase == name) for name in PHASES},
        checks=Count(checks - faults, checks),
    )


def _of(results: Sequence[Result], family: str) -> list[Result]:
    return [result for result in results if result.family.name == family]


def _count(results: Iterable[Result]) -> Count:
    passed = [result.passed for result in results]
    return Count(sum(passed), len(passed))


def _family(results: Sequence[Result], *, named: bool = False) -> Family:
    missing = [
        Missing(f"{r.family.name}: {r.item.name}" if named else r.item.name, r.reason[:200])
        for r in results
        if not r.passed
    ]
    return Family(len(results) - len(missing), len(results), missing)


def unshown(claimed: Conformance, shown: Conformance) -> list[str]:
    """What is claimed that was not shown."""
    found = [
        f"{name}: {item} is claimed"
        for name in ("anthropic", "openai", "openrouter", "overall")
        for item in _items(shown, name) - _items(claimed, name)
    ]
    pairs = [(name, getattr(claimed, name), getattr(shown, name)) for name in _COUNTS]
    pairs += [(name, count, shown.phases.get(name)) for name, count in claimed.phases.items()]
    for name, said, seen in pairs:
        if said is not None and (seen is None or said.total != seen.total or more(said, seen)):
            found.append(f"{name}: {said} is claimed, {seen} was shown")
    if claimed.version != shown.version:
        found.append(f"version {claimed.version} was tested, this is {shown.version}")
    return found


_COUNTS = ("anthropic", "openai", "openrouter", "overall", "checks")


def _items(figures: Conformance, name: str) -> set[str]:
    """The items that have not passed."""
    return {missing.item for missing in getattr(figures, name).missing}


def more(said: Count, seen: Count) -> bool:
    """Whether more is said than was seen."""
    return said.passed > seen.passed
