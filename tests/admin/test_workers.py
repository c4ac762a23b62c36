"""What the shares of several workers come to."""

from functools import reduce

import msgspec

from gateway.telemetry.shares import CallTotals, merge_totals, parse_totals, reduce_totals
from gateway.telemetry.totals import MODELS, OTHER, Counters


def share(*models: str, since: float = 5.0) -> CallTotals:
    """A worker that has had one call of each model, and batches."""
    tallies = [("p", model, Counters(calls=1, ends={"rejected 400": 1})) for model in models]
    return CallTotals(since, tallies, (1.0, 2.0))


def test_shares_add_up_and_stay_as_they_are() -> None:
    first, second = share("a", "b"), share("b", "c", since=3.0)
    whole = merge_totals([first, second])
    assert {pair: tally.calls for pair, tally in whole.by_pair().items()} == {
        ("p", "a"): 1, ("p", "b"): 2, ("p", "c"): 1,
    }  # fmt: skip
    assert (whole.since, whole.batched) == (3.0, (2.0, 4.0))
    assert whole.sum_provider("p").ends == {"rejected 400": 4}
    assert (first, second) == (share("a", "b"), share("b", "c", since=3.0))


def test_however_many_workers_have_ended_their_words_stay_few() -> None:
    packed = [
        msgspec.msgpack.encode(share("same", *(f"{worker}-{number}" for number in range(MODELS))))
        for worker in range(4)
    ]
    whole = parse_totals(reduce(reduce_totals, packed))
    assert len(whole.tallies) == MODELS + 1
    calls = {pair: tally.calls for pair, tally in whole.by_pair().items()}
    assert calls["p", "same"] == 4
    assert calls["p", "0-0"] == 1
    assert sum(calls.values()) == 4 * (MODELS + 1)
    assert calls["p", OTHER] == 4 * (MODELS + 1) - 4 - (MODELS - 1)
    assert whole.batched == (4.0, 8.0)
