"""What a conversion lost, approximated or repaired."""

import pytest

from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport


def test_entries_are_kept_in_order_and_once() -> None:
    notes = LossReport()
    notes.note("b", "repaired")
    notes.drop("a")
    notes.note("b", "repaired")
    notes.note("b", "clamped")
    assert notes.entries == ["b:repaired", "a:unsupported_by_target", "b:clamped"]


def test_strict_refuses_a_loss() -> None:
    notes = LossReport(strict=True)
    with pytest.raises(InvalidRequest, match="unsupported by model") as caught:
        notes.drop("temperature", "unsupported_by_model")
    assert caught.value.param == "temperature"
    assert notes.entries == []


def test_strict_allows_a_repair() -> None:
    notes = LossReport(strict=True)
    notes.note("messages.tool_result", "duplicate_dropped")
    assert notes.entries == ["messages.tool_result:duplicate_dropped"]


def test_some_losses_are_always_refused() -> None:
    with pytest.raises(InvalidRequest, match="inference_geo: cannot be kept") as caught:
        LossReport().refuse("inference_geo", "cannot be kept")
    assert caught.value.param == "inference_geo"
