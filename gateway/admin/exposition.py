"""The figures of the gateway as Prometheus reads them.

Imported by who is asked for them, in a thread: the library takes its time, and many models are many
lines. Every counter is of all workers since the start, ended ones included, and never shrinks.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from time import sleep

from prometheus_client import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily as Counter,
    GaugeMetricFamily as Gauge,
    HistogramMetricFamily as Histogram,
    InfoMetricFamily as Info,
    Metric,
    SummaryMetricFamily as Summary,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from gateway.admin.workers import ScrapeData
from gateway.telemetry.shares import CallTotals, label_pair, merge_totals, parse_totals
from gateway.telemetry.totals import BOUNDS, Counters

_PAIR_LABELS = ("provider", "model")
_BUCKET_BOUNDS = (*map(str, BOUNDS), "+Inf")
_COUNTERS: tuple[tuple[str, str, Callable[[Counters], int]], ...] = (
    ("gateway_streams", "Calls whose client asked for a stream.", lambda each: each.streams),
    ("gateway_requests_without_usage", "Calls that ended well and whose upstream told no usage.",
     lambda each: each.unmetered),
    ("gateway_retries", "Tries after a call's first, booked where the call ended.",
     lambda each: each.retries),
)  # fmt: skip
_CACHE_COUNTERS = (
    ("gateway_cache_hits", "Calls that the prompt cache answered.", ("hit", "coalesced")),
    ("gateway_cache_misses", "Calls that the prompt cache had no answer to.", ("miss",)),
)
_PAUSE_SECONDS = 1e-4
_SAMPLES_PER_PAUSE = 100
_TOKEN_TYPES = ("input", "output", "cache_read", "cache_write")


def render_metrics(scraped: ScrapeData, *, open_metrics: bool) -> bytes:
    """The figures in Prometheus's text format, or in that of OpenMetrics."""
    figures = _MetricsCollector(scraped)
    if open_metrics:
        return bytes(openmetrics.generate_latest(figures))  # type: ignore[no-untyped-call]
    return generate_latest(figures)


class _MetricsCollector(Collector):
    """The figures as families, one after the other: with many models each of them is large."""

    def __init__(self, scraped: ScrapeData) -> None:
        self._data = scraped
        self._totals = merge_totals(map(parse_totals, scraped.shares))

    def collect(self) -> Iterator[Metric]:
        """All families."""
        for family in _iter_call_metrics(self._totals):
            family.samples = _PausingSamples(family.samples)
            yield family
        yield from _iter_state_gauges(self._data)
        process = "process_start_time_seconds"
        yield Gauge(process, "When the gateway started, Unix time.", value=self._totals.since)
        info = Info("gateway_build", "The version of the gateway.")
        info.add_metric([], {"version": self._data.version})
        yield info


class _PausingSamples(list[Sample]):
    """Samples that are gone through with pauses.

    A thread that computes lets the loop have the interpreter every 5 ms, each turn of it anew; one
    that sleeps does so at once.
    """

    def __iter__(self) -> Iterator[Sample]:
        for place, sample in enumerate(super().__iter__()):
            if place % _SAMPLES_PER_PAUSE == 0:
                sleep(_PAUSE_SECONDS)
            yield sample


def _iter_call_metrics(done: CallTotals) -> Iterator[Metric]:
    by_name: dict[tuple[str, str], Counters] = {}
    for provider, model, tally in done.tallies:
        by_name.setdefault(label_pair(provider, model), Counters()).add(tally)
    pairs = [(pair, by_name[pair]) for pair in sorted(by_name)]
    yield _build_request_counter(pairs)
    yield _build_token_counter(pairs)
    for name, says, count in _COUNTERS:
        counter = Counter(name, says, labels=_PAIR_LABELS)
        for pair, tally in pairs:
            counter.add_metric(pair, count(tally))
        yield counter
    for name, says, outcomes in _CACHE_COUNTERS:
        counter = Counter(name, says, labels=_PAIR_LABELS)
        for pair, tally in pairs:
            if tally.cached:
                counter.add_metric(pair, sum(tally.cached.get(each, 0) for each in outcomes))
        yield counter
    summary = Summary(
        "gateway_upstream_first_byte_seconds",
        "From the request to an upstream to the head of its answer.",
        labels=_PAIR_LABELS,
    )
    durations = Histogram(
        "gen_ai_server_request_duration_seconds",
        "From a call's arrival at the gateway to its end, however it ended.",
        labels=_PAIR_LABELS,
    )
    for pair, tally in pairs:
        summary.add_metric(pair, tally.answered, tally.first_byte_seconds)
        durations.add_metric(pair, _make_buckets(tally.durations), tally.seconds)
    yield summary
    yield durations
    yield _build_first_token_histogram(pairs)


_Pairs = Sequence[tuple[tuple[str, str], Counters]]


def _build_request_counter(pairs: _Pairs) -> Metric:
    says = "Calls that have ended, by how they did and the status that the client got; 0 is none."
    requests = Counter("gateway_requests", says, labels=(*_PAIR_LABELS, "end", "status"))
    for pair, tally in pairs:
        usual = tally.calls - sum(tally.ends.values())
        requests.add_metric((*pair, "complete", "200"), usual)
        for kind, count in tally.ends.items():
            end, _, status = kind.partition(" ")
            requests.add_metric((*pair, end, status), count)
    return requests


def _build_token_counter(pairs: _Pairs) -> Metric:
    says = "Tokens as upstreams told them; input is without what their prompt caches read or wrote."
    tokens = Counter("gateway_tokens", says, labels=(*_PAIR_LABELS, "type"))
    for pair, tally in pairs:
        for kind in _TOKEN_TYPES:
            tokens.add_metric((*pair, kind), getattr(tally, f"{kind}_tokens"))
    return tokens


def _build_first_token_histogram(pairs: _Pairs) -> Metric:
    histogram = Histogram(
        "gen_ai_server_time_to_first_token_seconds",
        "From the request to an upstream to the head of its answer, of streams that came.",
        labels=_PAIR_LABELS,
    )
    for pair, tally in pairs:
        if any(tally.first_tokens):
            histogram.add_metric(pair, _make_buckets(tally.first_tokens), tally.first_token_seconds)
    return histogram


def _make_buckets(parts: Sequence[int]) -> list[tuple[str, float]]:
    return list(zip(_BUCKET_BOUNDS, accumulate(parts), strict=True))


def _iter_state_gauges(scraped: ScrapeData) -> Iterator[Metric]:
    now = scraped.now
    yield Gauge("gateway_in_flight", "Calls in flight.", value=now.in_flight)
    yield Gauge("gateway_workers", "Workers that answered.", value=now.workers)
    wanted = "Workers that there should be."
    yield Gauge("gateway_workers_wanted", wanted, value=scraped.workers)
    says = "1 where the store of a link of the chain answers every worker, if it is elsewhere."
    stores = Gauge("gateway_store_up", says, labels=("link",))
    for name, up in sorted(now.stores.items()):
        stores.add_metric((name,), up)
    yield stores
    by = ("provider",)
    keys = Gauge("gateway_keys", "The gateway's own keys for a provider.", labels=by)
    says = "Keys that rest after an upstream's refusal, in the worker where most of them do."
    resting = Gauge("gateway_keys_resting", says, labels=by)
    says = "1 where the upstream has refused every key, in some worker."
    refused = Gauge("gateway_provider_refused", says, labels=by)
    says = "Connections to a provider: open, and of these idle and busy."
    connections = Gauge("gateway_connections", says, labels=("provider", "state"))
    for name, rests in sorted(now.rests.items()):
        keys.add_metric((name,), scraped.keys.get(name, 0))
        resting.add_metric((name,), len(rests.resting))
        refused.add_metric((name,), rests.refused)
        for state, count in rests.connections.items():
            connections.add_metric((name, state), count)
    yield from (keys, resting, refused, connections)
