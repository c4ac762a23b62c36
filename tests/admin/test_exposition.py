"""The text that Prometheus reads, read back by its own parsers."""

import re
from collections.abc import Mapping
from math import inf
from pathlib import Path

import msgspec
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway.admin import exposition
from gateway.admin.exposition import render_metrics
from gateway.admin.workers import KeyCooldown, ScrapeData, WorkerState
from gateway.telemetry.shares import CallTotals
from gateway.telemetry.totals import Counters

ODD = [
    'a "quoted" name', "back\\slash\\n", "two\nlines", '{le="+Inf"} 7', "ä 模型 🙂", " ", "a\r\tb",
    "# HELP x y", "x\u2028y",
]  # fmt: skip


def scraped(*shares: CallTotals, now: WorkerState | None = None) -> ScrapeData:
    """That of two workers."""
    packed = [msgspec.msgpack.encode(each) for each in shares]
    return ScrapeData(packed, now or WorkerState(0, {}), 2, {"p": 2}, "1.2.3")


def parts(place: int, count: int) -> list[int]:
    return [count if each == place else 0 for each in range(15)]


def samples(told: ScrapeData, *, open_metrics: bool = False) -> list[Sample]:
    found = render_metrics(told, open_metrics=open_metrics).decode()
    parse = (
        openmetrics.text_string_to_metric_families
        if open_metrics
        else text_string_to_metric_families
    )
    return [sample for family in parse(found) for sample in family.samples]


def values(found: list[Sample]) -> Mapping[tuple[str, frozenset[str]], float]:
    told = {(each.name, frozenset(each.labels.values())): each.value for each in found}
    assert len(told) == len(found)
    return told


HERE = CallTotals(
    100.0,
    [
        ("p", "m", Counters(
            calls=5, streams=4, errors=1, aborted=1, retries=2, unmetered=1, input_tokens=10,
            output_tokens=20, cache_read_tokens=30, cache_write_tokens=40, seconds=7.5, answered=3,
            first_byte_seconds=1.5, first_token_seconds=1.25, durations=parts(3, 5),
            first_tokens=parts(0, 3), ends={"client_gone 200": 1, "rejected 429": 1},
            cached={"hit": 2, "coalesced": 1, "miss": 1, "bypass": 1},
        )),
        ("", "", Counters(calls=1, errors=1, durations=parts(0, 1), ends={"rejected 401": 1})),
    ],
)  # fmt: skip
THERE = CallTotals(
    90.0,
    [
        ("p", "m", Counters(calls=2, seconds=200.5, durations=parts(14, 2))),
        ("p", "n", Counters(calls=0)),
    ],
)
NOW = WorkerState(
    4,
    {"p": KeyCooldown(True, [1.0], {"open": 3, "idle": 1, "busy": 2}), "q": KeyCooldown()},
    workers=2,
    stores={"cache": True, "history": False},
)


@pytest.mark.parametrize("open_metrics", [False, True])
def test_the_figures_of_all_workers_are_one(open_metrics: bool) -> None:
    told = samples(scraped(HERE, THERE, now=NOW), open_metrics=open_metrics)
    found = values(told)

    def value(name: str, *labels: str) -> float:
        return found[name, frozenset(labels)]

    pair = ("p", "m")
    assert value("gateway_requests_total", *pair, "complete", "200") == 5
    assert value("gateway_requests_total", *pair, "client_gone", "200") == 1
    assert value("gateway_requests_total", *pair, "rejected", "429") == 1
    assert value("gateway_requests_total", "unrouted", "rejected", "401") == 1
    assert value("gateway_requests_total", "unrouted", "complete", "200") == 0
    tokens = [
        value("gateway_tokens_total", *pair, kind)
        for kind in ("input", "output", "cache_read", "cache_write")
    ]
    assert tokens == [10, 20, 30, 40]
    assert value("gateway_streams_total", *pair) == 4
    assert value("gateway_requests_without_usage_total", *pair) == 1
    assert value("gateway_retries_total", *pair) == 2
    assert value("gateway_cache_hits_total", *pair) == 3
    assert value("gateway_cache_misses_total", *pair) == 1
    assert ("gateway_cache_hits_total", frozenset({"p", "n"})) not in found
    assert value("gateway_upstream_first_byte_seconds_count", *pair) == 3
    assert value("gateway_upstream_first_byte_seconds_sum", *pair) == 1.5
    assert value("gateway_in_flight") == 4
    assert (value("gateway_workers"), value("gateway_workers_wanted")) == (2, 2)
    assert (value("gateway_keys", "p"), value("gateway_keys_resting", "p")) == (2, 1)
    assert (value("gateway_provider_refused", "p"), value("gateway_provider_refused", "q")) == (
        1, 0,
    )  # fmt: skip
    assert value("gateway_connections", "p", "busy") == 2
    assert (value("gateway_store_up", "cache"), value("gateway_store_up", "history")) == (1, 0)
    assert value("process_start_time_seconds") == 90
    assert value("gateway_build_info", "1.2.3") == 1


@pytest.mark.parametrize("open_metrics", [False, True])
def test_histograms_are_cumulative(open_metrics: bool) -> None:
    told = samples(scraped(HERE, THERE), open_metrics=open_metrics)

    def histogram(name: str) -> tuple[list[float], list[float], float, float]:
        here = [each for each in told if each.name.startswith(name) and each.labels["model"] == "m"]
        buckets = [each for each in here if each.name == f"{name}_bucket"]
        (count,) = (each.value for each in here if each.name == f"{name}_count")
        (total,) = (each.value for each in here if each.name == f"{name}_sum")
        return [float(each.labels["le"]) for each in buckets], [
            each.value for each in buckets
        ], count, total  # fmt: skip

    bounds, counts, count, total = histogram("gen_ai_server_request_duration_seconds")
    assert bounds == [round(0.01 * 2**power, 2) for power in range(14)] + [inf]
    assert counts == [0, 0, 0] + [5] * 11 + [7]
    assert (count, total) == (7, 208.0)
    _, counts, count, total = histogram("gen_ai_server_time_to_first_token_seconds")
    assert (counts, count, total) == ([3] * 15, 3, 1.25)
    first = "gen_ai_server_time_to_first_token_seconds_count"
    assert {each.labels["model"] for each in told if each.name == first} == {"m"}


@pytest.mark.parametrize("open_metrics", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_a_label_comes_back_whatever_is_in_it(name: str, open_metrics: bool) -> None:
    told = samples(
        scraped(CallTotals(1.0, [("p", name, Counters(calls=1))])), open_metrics=open_metrics
    )
    found = {each.labels["model"] for each in told if "model" in each.labels}
    assert found == {name}


def test_whoever_waits_for_the_interpreter_gets_it_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(exposition, "sleep", pauses.append)
    share = CallTotals(1.0, [("p", f"m{number}", Counters(calls=1)) for number in range(100)])
    found = samples(scraped(share))
    assert len(pauses) >= len(found) // 100 > 20
    assert len(values(found)) == len(found)


def test_every_figure_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| (`(?:gateway|gen_ai)_.*?) \|", page, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    found = render_metrics(scraped(HERE, now=NOW), open_metrics=False).decode()
    assert explained == set(re.findall(r"^# TYPE (\w+)", found, re.MULTILINE))


def test_calls_without_a_provider_are_told_once() -> None:
    share = CallTotals(1.0, [("", "", Counters(calls=1)), ("", "other", Counters(calls=2))])
    found = values(samples(scraped(share)))
    assert found["gateway_requests_total", frozenset({"unrouted", "complete", "200"})] == 3


def test_a_gateway_that_has_done_nothing_says_so() -> None:
    found = values(samples(scraped(CallTotals(5.0, []))))
    assert found["process_start_time_seconds", frozenset()] == 5
    assert not [name for name, _ in found if name.startswith("gateway_requests")]
