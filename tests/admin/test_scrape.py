"""`GET /metrics`, asked as a Prometheus server asks it."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from gateway.admin import exposition
from gateway.admin.workers import ScrapeData
from gateway.app import build
from gateway.telemetry.totals import Counters
from gateway.workers.peers import NoPeers
from tests.admin.house import CHAT, KEY, AdminGateway, before, house
from tests.configs import loaded
from tests.fakes.client import wait_until
from tests.fakes.running import ROOT

ACCEPT = (
    b"application/openmetrics-text;version=1.0.0;q=0.5,"
    b"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BEARER = (b"authorization", b"Bearer " + KEY.encode())


async def scraped(opened: AdminGateway) -> dict[tuple[str, ...], float]:
    sent = await opened.get("/metrics")
    assert sent.status == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(sent.body.decode())
        for sample in family.samples
    }


async def test_calls_are_told_by_provider_model_and_end(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        await opened.post(CHAT)
        await opened.post(CHAT | {"model": "poe:gpt-4o"})
        await opened.post({"model": "x"})
        found = await scraped(opened)
        assert found["gateway_requests_total", "complete", "gpt-4o-mini", "openai", "200"] == 1
        assert found["gateway_requests_total", "complete", "gpt-4o", "poe", "200"] == 1
        assert found["gateway_requests_total", "rejected", "unrouted", "unrouted", "400"] == 1
        assert found["gateway_tokens_total", "gpt-4o", "poe", "output"] == 12
        duration = "gen_ai_server_request_duration_seconds"
        assert found[f"{duration}_count", "gpt-4o", "poe"] == 1
        assert 0 < found[f"{duration}_sum", "gpt-4o", "poe"] < 5
        assert found["gateway_keys", "poe"] == 1
        assert found["gateway_workers",] == found["gateway_workers_wanted",] == 1
        assert found["gateway_in_flight",] == 0
        assert not [key for key in found if key[0] == "gateway_store_up"]


async def test_whoever_takes_openmetrics_gets_it(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        sent = await opened.get("/metrics", [BEARER, (b"accept", ACCEPT)])
        kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert sent.headers["content-type"] == kind
        assert sent.body.endswith(b"# EOF\n")
        assert list(openmetrics.text_string_to_metric_families(sent.body.decode()))  # type: ignore[no-untyped-call]
        for accept in (b"*/*", b"text/plain;version=0.0.4", b""):
            plain = await opened.get("/metrics", [BEARER, (b"accept", accept)])
            assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert b"# EOF" not in plain.body


async def test_it_asks_for_a_key_like_its_siblings(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        for headers in ([], [(b"authorization", b"Bearer wrong")]):
            for path in ("/metrics", "/metrics/running-totals"):
                sent = await opened.get(path, headers)
                assert sent.status == 401
                assert b"gateway_" not in sent.body
        assert (await opened.get("/metrics", method="POST")).status == 405


async def test_head_has_the_head_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        sent = await opened.get("/metrics", method="HEAD")
        assert (sent.status, sent.body) == (200, b"")
        assert sent.headers["content-type"].startswith("text/plain")
        assert int(sent.headers["content-length"]) > 1000


async def test_no_key_is_in_it(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        await opened.post(CHAT)
        sent = await opened.get("/metrics")
    for secret in (KEY, "sk-upstream", "poe-upstream", "client1"):
        assert secret.encode() not in sent.body


async def test_a_name_that_is_no_unicode_is_told_all_the_same(tmp_path: Path) -> None:
    async with before(tmp_path) as (opened, _):
        odd = b'{"model":"poe:a\\ud800\\"b\\n","messages":[{"role":"user","content":"Hi"}]}'
        await opened.post(odd)
        found = await scraped(opened)
    assert sum(value for key, value in found.items() if key[0] == "gateway_requests_total") == 1


class Cut(NoPeers):
    """One of two workers whose supervisor is gone."""

    count = 2
    reached = False


async def test_no_figures_rather_than_a_part_of_them(tmp_path: Path) -> None:
    app = build(loaded(tmp_path, "[server]\ndiscover = false\n[providers.echo]\n"), Cut())
    async with app.router.lifespan_context(app):
        opened = AdminGateway(app)
        assert (await opened.get("/metrics")).status == 503
        assert (await opened.get("/metrics/running-totals")).status == 200


async def test_only_who_is_scraped_loads_the_library() -> None:
    code = (
        "import sys, gateway.app; from gateway.config.load import load_config; "
        "gateway.app.build(load_config(None, {})); print('prometheus_client' in sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said == b"False\n"


async def test_others_are_answered_while_a_long_text_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()
    text = exposition.render_metrics

    def waiting(told: ScrapeData, *, open_metrics: bool) -> bytes:
        asked.set()
        assert answered.wait(5), "nobody was answered meanwhile"
        return text(told, open_metrics=open_metrics)

    monkeypatch.setattr(exposition, "render_metrics", waiting)
    async with house(tmp_path) as opened:
        tallies = opened.edge.totals.tallies
        for number in range(300):
            tallies["openai", f"model-{number}"] = Counters(calls=1, first_tokens=[1] * 15)
        scraping = opened.asking("/metrics")
        await wait_until(asked.is_set)
        assert (await opened.get("/livez")).status == 200
        answered.set()
        sent = await scraping.wait_done(20)
    assert sent.body.count(b'model="model-') > 10_000
