"""Counts of Gemini answers in exclusive form, and ids of calls."""

import pytest

from gateway.dialects.gemini.answer import make_call_id, read_usage
from gateway.dialects.gemini.wire import UsageCounts
from gateway.neutral.events import Usage

COUNTS = [
    # thoughts beside the answer's tokens
    (UsageCounts(100, 10, 20, 40, None, 130), Usage(60, 30, 40, 0, 20)),
    # thoughts among them already: the total says so
    (UsageCounts(100, 30, 20, None, None, 130), Usage(100, 30, 0, 0, 20)),
    # what tools of the upstream's own have brought in
    (UsageCounts(100, 10, None, None, 50, 160), Usage(150, 10)),
    (UsageCounts(10, 1, None, 99, None, 11), Usage(0, 1, 10)),
    (UsageCounts(10.0, None, 5, None, None, 15), Usage(10, 5, 0, 0, 5)),
    (UsageCounts(), Usage()),
]


@pytest.mark.parametrize(("counts", "usage"), COUNTS)
def test_case_3_counts(counts: UsageCounts, usage: Usage) -> None:
    assert read_usage(counts) == usage


def test_ids_are_the_same_for_the_same_place() -> None:
    assert make_call_id("r1", 0) == make_call_id("r1", 0)
    assert len({make_call_id("r1", 0), make_call_id("r1", 1), make_call_id("r2", 0)}) == 3
    assert make_call_id("", 0) != make_call_id("", 0)
