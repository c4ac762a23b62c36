import pytest

from gateway.admin import conformance
from gateway.telemetry.conformance import Conformance, Count, Family, Missing

PHASES = dict.fromkeys(conformance.read_phases(), Count(2, 2))


def ship(monkeypatch: pytest.MonkeyPatch, found: Conformance | None) -> None:
    monkeypatch.setattr(conformance, "read", lambda: found)


def shipped(**phases: Count) -> Conformance:
    return Conformance(
        version="1",
        anthropic=Family(29, 29, []),
        openai=Family(24, 28, [Missing("n", "no")]),
        openrouter=Family(17, 25, []),
        overall=Family(70, 82, []),
        phases=PHASES | phases,
        checks=Count(433, 433),
    )


def test_without_figures_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    ship(monkeypatch, None)
    assert set(conformance.read_compatibility().values()) == {"not measured"}
    assert set(conformance.read_phases().values()) == {"not measured"}
    assert conformance.read_overall() == conformance.read_status() == "not measured"
    assert set(conformance.read_test_figures().values()) == {"not measured"}


def test_figures_are_told_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    ship(monkeypatch, shipped())
    assert conformance.read_compatibility() == {
        "anthropic": "100% (29/29)", "openai": "85% (24/28)", "openrouter": "68% (17/25)",
        "overall": "85% (70/82)",
    }  # fmt: skip
    assert conformance.read_overall() == "85%"
    assert conformance.read_status() == "all_phases_complete"
    assert conformance.read_test_figures()["total_tests"] == 433
    assert conformance.read_test_figures()["test_success_rate"] == "100%"


def test_a_phase_with_a_gap_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    ship(monkeypatch, shipped(phase_1_multi_modal=Count(1, 2)))
    assert conformance.read_phases()["phase_1_multi_modal"] == "50% (1/2)"
    assert conformance.read_status() == "incomplete"
