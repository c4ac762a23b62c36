from time import monotonic

import pytest

from gateway.call import Attempt, Record
from gateway.neutral.events import Usage
from gateway.telemetry.totals import BOUNDS, MODELS, OTHER, Counters, Totals


def ended(end: str = "complete", model: str = "m", provider: str = "p") -> Record:
    record = Record(monotonic() - 1)
    record.provider, record.model, record.end = provider, model, end
    return record


def book(totals: Totals, record: Record, status: int = 200, *, streamed: bool = False) -> None:
    totals.record_call("req_1", "chat", record, status, streamed=streamed)


def of_provider(totals: Totals, provider: str) -> Counters:
    """The sum over a provider's models."""
    total = Counters()
    for (name, _), tally in totals.tallies.items():
        if name == provider:
            total.add(tally)
    return total


def test_a_call_adds_its_usage_and_its_times() -> None:
    totals, record = Totals(), ended()
    record.usage = Usage(10, 5, cache_read=3, cache_write=2)
    record.first_byte = 0.5
    book(totals, record, streamed=True)
    book(totals, record)
    tally = totals.tallies["p", "m"]
    assert (tally.calls, tally.streams, tally.errors, tally.answered) == (2, 1, 0, 2)
    assert (tally.input_tokens, tally.output_tokens) == (20, 10)
    assert (tally.cache_read_tokens, tally.cache_write_tokens) == (6, 4)
    assert tally.first_byte_seconds == 1.0
    assert 2 <= tally.seconds < 4
    assert tally.last_success > 0


def test_a_call_whose_client_left_counts_with_the_usage_seen_so_far() -> None:
    totals, record = Totals(), ended("client_gone")
    record.usage = Usage(10, 0)
    book(totals, record, streamed=True)
    tally = totals.tallies["p", "m"]
    assert (tally.aborted, tally.errors, tally.input_tokens) == (1, 0, 10)
    assert (tally.last_success, tally.last_failure) == (0.0, 0.0)
    assert not totals.failures


def test_a_call_that_ended_well_without_usage_is_unmetered() -> None:
    totals = Totals()
    book(totals, ended())
    assert totals.tallies["p", "m"].unmetered == 1


@pytest.mark.parametrize(
    ("end", "status", "blamed"),
    [
        ("upstream_error", 502, True),
        ("upstream_error", 200, True),
        ("rejected", 429, True),
        ("upstream_error", 400, False),
        ("rejected", 404, False),
        ("drained", 503, False),
    ],
)
def test_an_error_is_the_providers_unless_the_request_was_at_fault(
    end: str, status: int, blamed: bool
) -> None:
    totals, record = Totals(), ended(end)
    record.error = "api_error: boom"
    book(totals, record, status)
    tally = totals.tallies["p", "m"]
    assert tally.errors == 1
    assert bool(tally.last_failure) == blamed
    assert [each.error for each in totals.failures] == ["api_error: boom"]


def test_a_provider_that_failed_before_another_answered_is_remembered() -> None:
    totals, record = Totals(), ended(provider="second")
    record.attempts = [Attempt("first:m", "502", 1.0), Attempt("second:m", "ok", 1.0)]
    book(totals, record)
    assert of_provider(totals, "first").last_error == "502"
    assert of_provider(totals, "first").calls == 0
    assert of_provider(totals, "second").last_failure == 0.0


def test_made_up_models_do_not_fill_the_memory() -> None:
    totals = Totals()
    for place in range(MODELS + 50):
        book(totals, ended(model=f"m{place}"))
    book(totals, ended(model="x" * 10_000))
    assert len(totals.tallies) == MODELS + 1
    assert totals.tallies["p", OTHER].calls == 51


def test_only_the_last_errors_are_kept() -> None:
    totals = Totals()
    for place in range(300):
        record = ended("rejected")
        record.error = f"{place}" + "x" * 10_000
        book(totals, record, 400)
    assert len(totals.failures) == 200
    assert totals.failures[-1].error.startswith("299")
    assert len(totals.failures[-1].error) == 500


def test_tallies_add_up() -> None:
    total = Counters(calls=1, last_failure=5.0, last_error="old")
    total.add(Counters(calls=2, seconds=1.5, last_success=7.0, last_failure=6.0, last_error="new"))
    assert (total.calls, total.seconds, total.last_success) == (3, 1.5, 7.0)
    assert (total.last_failure, total.last_error) == (6.0, "new")


def test_tallies_of_times_ends_and_the_cache_add_up_too() -> None:
    here, there = Totals(), Totals()
    for totals, end, status, cache in (
        (here, "complete", 200, "hit"),
        (here, "rejected", 429, "miss"),
        (there, "rejected", 429, "miss"),
        (there, "client_gone", 0, ""),
    ):
        record = ended(end)
        record.cache = cache
        book(totals, record, status)
    total = Counters()
    for totals in (here, there):
        total.add(totals.tallies["p", "m"])
    assert total.ends == {"rejected 429": 2, "client_gone 0": 1}
    assert total.cached == {"hit": 1, "miss": 2}
    assert sum(total.durations) == total.calls == 4
    assert here.tallies["p", "m"].ends == {"rejected 429": 1}


@pytest.mark.parametrize(
    ("seconds", "part"),
    [(0.0001, 0), (0.01, 0), (0.0101, 1), (2.56, 8), (81.92, 13), (82, 14), (1e6, 14)],
)
def test_a_time_goes_into_the_part_of_the_least_bound_that_holds_it(
    seconds: float, part: int
) -> None:
    totals, record = Totals(), ended()
    record.first_byte = seconds
    book(totals, record, streamed=True)
    tally = totals.tallies["p", "m"]
    assert [place for place, count in enumerate(tally.first_tokens) if count] == [part]
    assert tally.first_token_seconds == seconds
    assert len(tally.first_tokens) == len(BOUNDS) + 1
    assert sum(tally.durations) == 1


def test_first_tokens_are_of_streams_that_came() -> None:
    totals, record = Totals(), ended()
    record.first_byte = 0.5
    book(totals, record)
    record.end = "upstream_error"
    book(totals, record, 502, streamed=True)
    tally = totals.tallies["p", "m"]
    assert (tally.answered, sum(tally.first_tokens), tally.first_token_seconds) == (2, 0, 0.0)


def test_tries_after_the_first_are_retries_of_where_the_call_ended() -> None:
    totals, record = Totals(), ended(provider="second")
    record.attempts = [Attempt("first:m", "502", 1.0), *[Attempt("second:m", "ok", 1.0)] * 2]
    book(totals, record)
    assert (of_provider(totals, "second").retries, of_provider(totals, "first").retries) == (2, 0)


def test_no_upstream_fills_the_memory_with_statuses() -> None:
    totals = Totals()
    for status in range(400, 600):
        book(totals, ended("upstream_error"), status)
    ends = totals.tallies["p", "m"].ends
    assert len(ends) == 51
    assert ends["upstream_error other"] == 150
