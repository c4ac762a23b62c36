import pytest

from gateway.call import Record
from gateway.counting import learned
from gateway.counting.learned import Learned, Sample
from gateway.neutral.events import Usage

PAIR = ("up", "m")


def ended(usage: Usage | None, end: str = "complete", provider: str = "up") -> Record:
    return Record(0.0, provider=provider, model="m", usage=usage, end=end)


def test_nothing_learned_is_a_factor_of_one() -> None:
    assert Learned().factor(PAIR) == 1.0


def test_the_first_ratio_counts_whole_and_later_ones_by_weight() -> None:
    table = Learned()
    table.learn(PAIR, 1000, 1200)
    assert table.factor(PAIR) == pytest.approx(1.2)
    table.learn(PAIR, 1000, 700)
    assert table.factor(PAIR) == pytest.approx(1.2 + 0.2 * (0.7 - 1.2))
    assert table.factor(("up", "other")) == 1.0


@pytest.mark.parametrize(("estimate", "real"), [(99, 99), (1000, 199), (1000, 5001), (1000, 0)])
def test_small_and_senseless_ratios_teach_nothing(estimate: int, real: int) -> None:
    table = Learned()
    table.learn(PAIR, estimate, real)
    assert table.factor(PAIR) == 1.0


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "PAIRS", 2)
    table = Learned()
    for model in ("a", "b", "c"):
        table.learn(("up", model), 1000, 2000)
    table.learn(("up", "c"), 1000, 2000)
    assert [table.factor(("up", model)) for model in "abc"] == [1.0, 2.0, 2.0]


def test_usage_is_awaited_until_the_call_has_ended() -> None:
    table, record = Learned(), ended(None, end="")
    table.await_usage(Sample(PAIR, 1000, record))
    table.settle()
    record.usage = Usage(input=500, cache_read=800, cache_write=200)
    table.settle()
    assert table.factor(PAIR) == 1.0
    record.end = "complete"
    table.settle()
    assert table.factor(PAIR) == pytest.approx(1.5)
    table.settle()
    assert table.factor(PAIR) == pytest.approx(1.5)


@pytest.mark.parametrize("record", [ended(None), ended(Usage(input=2000), provider="another")])
def test_a_call_without_usage_or_that_ended_elsewhere_teaches_nothing(record: Record) -> None:
    table = Learned()
    table.await_usage(Sample(PAIR, 1000, record))
    table.settle()
    record.provider, record.usage = "up", Usage(input=2000)
    table.settle()
    assert table.factor(PAIR) == 1.0


def test_only_so_many_calls_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "WAITING", 2)
    table = Learned()
    records = [ended(Usage(input=1000 * at)) for at in (4, 2, 2)]
    for record in records:
        table.await_usage(Sample(PAIR, 1000, record))
    table.settle()
    assert table.factor(PAIR) == pytest.approx(2.0)
