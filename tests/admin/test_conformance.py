from collections.abc import Iterator
from typing import Any

import pytest

from gateway.admin import conformance
from gateway.admin.conformance import Count, Counts


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def ship(counts: Counts) -> None:
        monkeypatch.setattr(conformance, "counts", lambda: counts)

    return iter([ship])


def test_without_counts_nothing_is_claimed(shipped: Iterator[Any]) -> None:
    next(shipped)(Counts())
    assert set(conformance.compatibility().values()) == {"not measured"}
    assert set(conformance.phases().values()) == {"not measured"}
    assert conformance.overall() == conformance.status() == "not measured"
    assert set(conformance.tests().values()) == {"not measured"}


def test_counts_are_told_as_they_are(shipped: Iterator[Any]) -> None:
    phases = dict.fromkeys(conformance.phases(), Count(2, 2))
    ship = next(shipped)
    ship(Counts(Count(29, 29), Count(28, 24), Count(25, 17), phases, Count(433, 433)))
    assert conformance.compatibility() == {
        "anthropic": "100% (29/29)", "openai": "85% (24/28)", "openrouter": "68% (17/25)",
        "overall": "85% (70/82)",
    }  # fmt: skip
    assert conformance.overall() == "85%"
    assert conformance.status() == "all_phases_complete"
    assert conformance.tests()["total_tests"] == 433
    ship(Counts(Count(29, 29), phases=phases | {"phase_1_multi_modal": Count(2, 1)}))
    assert conformance.status() == "incomplete"
    assert conformance.overall() == "not measured"
