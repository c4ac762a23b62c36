"""The figures of `gateway.telemetry.conformance` in the words of `/` and `/health/detailed`."""

from gateway.telemetry.conformance import Count, read

NOT_MEASURED = "not measured"
_API_NAMES = ("anthropic", "openai", "openrouter", "overall")
_PHASE_NAMES = (
    "phase_1_multi_modal", "phase_2_openrouter_extensions", "phase_3_openai_advanced",
    "phase_4_anthropic_beta",
)  # fmt: skip


def read_compatibility() -> dict[str, str]:
    """For each API and over all of them, how much of it the tests have shown to work."""
    found = read()
    return {name: str(getattr(found, name)) if found else NOT_MEASURED for name in _API_NAMES}


def read_overall() -> str:
    """One figure for all APIs."""
    found = read()
    return found.overall.percent if found else NOT_MEASURED


def read_phases() -> dict[str, str]:
    """For each group of features, whether all its tests have passed."""
    return {name: _read_phase(name) for name in _PHASE_NAMES}


def read_status() -> str:
    """All phases in one word."""
    said = {_read_phase(name) for name in _PHASE_NAMES}
    if said == {"complete"}:
        return "all_phases_complete"
    return NOT_MEASURED if said == {NOT_MEASURED} else "incomplete"


def read_test_figures() -> dict[str, object]:
    """How the tests of this build went."""
    found = read()
    run = found.checks if found else None
    return {
        "total_tests": run.total if run else NOT_MEASURED,
        "test_success_rate": run.percent if run else NOT_MEASURED,
    }


def _read_phase(name: str) -> str:
    found = read()
    count: Count | None = found.phases.get(name) if found else None
    if count is None:
        return NOT_MEASURED
    return "complete" if count.passed == count.total else str(count)
