import pytest

from gateway.call import Record
from gateway.counting import calibration as learned
from gateway.counting.calibration import Calibration, Sample
from gateway.neutral.events import Usage

PAIR = ("up", "m")


def ended(usage: Usage | None, end: str = "complete", provider: str = "up") -> Record:
    return Record(0.0, provider=provider, model="m", usage=usage, end=end)


def test_nothing_learned_is_a_factor_of_one() -> None:
    assert Calibration().get_factor(PAIR) == 1.0


def test_the_first_ratio_counts_whole_and_later_ones_by_weight() -> None:
    table = Calibration()
    table.record_usage(PAIR, 1000, 1200)
    assert table.get_factor(PAIR) == pytest.approx(1.2)
    table.record_usage(PAIR, 1000, 700)
    assert table.get_factor(PAIR) == pytest.approx(1.2 + 0.2 * (0.7 - 1.2))
    assert table.get_factor(("up", "other")) == 1.0


@pytest.mark.parametrize(("estimate", "real"), [(99, 99), (1000, 199), (1000, 5001), (1000, 0)])
def test_small_and_senseless_ratios_teach_nothing(estimate: int, real: int) -> None:
    table = Calibration()
    table.record_usage(PAIR, estimate, real)
    assert table.get_factor(PAIR) == 1.0


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "MAX_PAIRS", 2)
    table = Calibration()
    for model in ("a", "b", "c"):
        table.record_usage(("up", model), 1000, 2000)
    table.record_usage(("up", "c"), 1000, 2000)
    assert [table.get_factor(("up", model)) for model in "abc"] == [1.0, 2.0, 2.0]


def test_usage_is_awaited_until_the_call_has_ended() -> None:
    table, record = Calibration(), ended(None, end="")
    table.add_sample(Sample(PAIR, 1000, record))
    table.learn_finished()
    record.usage = Usage(input=500, cache_read=800, cache_write=200)
    table.learn_finished()
    assert table.get_factor(PAIR) == 1.0
    record.end = "complete"
    table.learn_finished()
    assert table.get_factor(PAIR) == pytest.approx(1.5)
    table.learn_finished()
    assert table.get_factor(PAIR) == pytest.approx(1.5)


@pytest.mark.parametrize("record", [ended(None), ended(Usage(input=2000), provider="another")])
def test_a_call_without_usage_or_that_ended_elsewhere_teaches_nothing(record: Record) -> None:
    table = Calibration()
    table.add_sample(Sample(PAIR, 1000, record))
    table.learn_finished()
    record.provider, record.usage = "up", Usage(input=2000)
    table.learn_finished()
    assert table.get_factor(PAIR) == 1.0


def test_only_so_many_calls_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "MAX_WAITING", 2)
    table = Calibration()
    records = [ended(Usage(input=1000 * at)) for at in (4, 2, 2)]
    for record in records:
        table.add_sample(Sample(PAIR, 1000, record))
    table.learn_finished()
    assert table.get_factor(PAIR) == pytest.approx(2.0)
