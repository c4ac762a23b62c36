"""Several processes on one port: what one of them goes through, and what they say together."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.server.serve import usable_cores
from tests.fakes.client import RawClient, wait_until
from tests.fakes.running import ROOT, run_gateway
from tests.fakes.steps import SSE, Chunk, Head, Json, Stall
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.scene import CHAIN, PROVIDERS, FaultGateway, scene
from tests.faults.wires import (
    PATHS,
    Dialect,
    delta,
    opening,
    received,
    request,
    stream,
    whole,
)

HEAD = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
TWO = "[server]\nworkers = 2\ndrain = {drain}\n"
MANY = 24
"""New connections, so that each of two workers has some of them but for one time in 2 ** 23."""


async def told(running: FaultGateway, path: str, method: str = "GET") -> dict[str, Any]:
    """What one of the workers says, on a connection of its own."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        found = await client.request(method, f"{running.gateway.url}{path}")
    assert found.status_code == 200, found.text
    return dict(found.json())


async def calls(running: FaultGateway, count: int, model: str) -> int:
    """Calls, each on a connection of its own; how many were answered."""
    answered = 0
    for _ in range(count):
        with suppress(ConnectionError, EOFError):
            async with RawClient(running.gateway.port) as client:
                await client.post(PATHS["chat"], request("chat", model, stream=False))
                answered += (await received(client, "chat")).status == 200
    return answered


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class TestTogether:
    async def test_figures_are_those_of_all_workers(self, tmp_path: Path) -> None:
        options = TWO.format(drain=1.0)
        async with scene(tmp_path, options) as running:
            assert len(running.gateway.worker_pids) == 2
            model = f"chat:{running.play(Json(whole('chat')))}"
            assert await calls(running, MANY, model) == MANY
            for _ in range(4):
                assert (await told(running, "/metrics/running-totals"))["summary"]["requests"] == 24
            failing = f"chat:{running.play(Json({'error': {'message': 'no'}}, 400))}"
            await calls(running, MANY, failing)
            health = await told(running, "/health/detailed")
            assert health["workers"] == {"count": 2, "answered": 2}
            assert health["providers"]["chat"]["calls"] == 2 * MANY
            assert health["performance_metrics"]["calls"] == 2 * MANY
            assert health["providers"]["chat"]["connections"]["open"] >= 2
            logs = await told(running, "/metrics/logs?limit=200")
            assert logs["total"] == MANY
            times = [each["timestamp"] for each in logs["errors"]]
            assert times == sorted(times, reverse=True)

    async def test_calls_in_flight_are_those_of_all_workers(self, tmp_path: Path) -> None:
        async with scene(tmp_path, TWO.format(drain=0.1)) as running, AsyncExitStack() as stack:
            model = running.play(Stall())
            for _ in range(MANY):
                client = await stack.enter_async_context(RawClient(running.gateway.port))
                await client.post(PATHS["chat"], request("chat", f"chat:{model}", stream=False))
            await wait_until(lambda: len(running.asked(model)) == MANY)
            for _ in range(4):
                active = await told(running, "/metrics/active-requests")
                assert active["count"] == len(active["requests"]) == MANY
            ages = [each["age_ms"] for each in active["requests"]]
            assert ages == sorted(ages, reverse=True)
            totals = await told(running, "/metrics/running-totals?include_active=true")
            assert totals["active"]["total"] == MANY

    async def test_caches_and_batches_are_those_of_all_workers(self, tmp_path: Path) -> None:
        cached = CHAIN.replace(
            'use = "alias"\n',
            'use = "batch"\n[[middleware]]\nuse = "alias"\n[[middleware]]\nuse = "cache"\n',
        )
        config = TWO.format(drain=0.1) + cached.replace("{fallback}", "") + PROVIDERS
        async with (
            ScriptedUpstream(select=lambda _: Json(whole("chat")), seconds=60) as upstream,
            run_gateway(tmp_path, config.replace("{url}", upstream.url)) as made,
        ):
            running = FaultGateway(made, upstream)
            assert await calls(running, MANY, "chat:model") == MANY
            assert len(upstream.requests) == 2
            stats = await told(running, "/v1/messages/cache/stats")
            assert stats["total_requests"] == MANY
            assert (stats["cache_misses"], stats["cache_size"]) == (2, 2)
            assert stats["max_cache_size"] == 2000
            cleared = await told(running, "/v1/messages/cache/clear", "DELETE")
            assert cleared["cleared_entries"] == 2
            assert (await told(running, "/v1/messages/cache/stats"))["cache_size"] == 0
            cleaned = await told(running, "/v1/messages/cache/cleanup", "POST")
            assert cleaned["remaining_entries"] == 0
            item = msgspec.json.decode(request("messages", "messages:model", stream=False))
            async with httpx2.AsyncClient(trust_env=False) as client:
                url = f"{made.url}/v1/messages/batch"
                sent = await client.post(url, json={"messages": [item]})
            assert sent.status_code == 200, sent.text
            for _ in range(8):
                path = f"/v1/messages/batch/{sent.headers['x-batch-id']}/status"
                assert (await told(running, path))["total_messages"] == 1


async def test_responses_go_on_from_one_another_in_any_worker(tmp_path: Path) -> None:
    kept = CHAIN.replace('use = "alias"\n', 'use = "alias"\n[[middleware]]\nuse = "history"\n')
    config = TWO.format(drain=0.1) + kept.replace("{fallback}", "") + PROVIDERS
    async with (
        ScriptedUpstream(select=lambda _: Json(whole("chat")), seconds=60) as upstream,
        run_gateway(tmp_path, config.replace("{url}", upstream.url)) as made,
    ):
        url = f"{made.url}/v1/responses"

        async def asked(method: str, more: str = "", **body: Any) -> httpx2.Response:
            async with httpx2.AsyncClient(trust_env=False) as client:
                return await client.request(method, url + more, json=body or None)

        first = (await asked("POST", model="chat:m", input="first words")).json()["id"]
        for number in range(8):
            found = await asked(
                "POST", model="chat:m", input=f"more {number}", previous_response_id=first
            )
            assert found.status_code == 200, found.text
            assert b"first words" in upstream.requests[-1].body
            assert (await asked("GET", f"/{first}")).json()["id"] == first
            items = (await asked("GET", f"/{first}/input_items")).json()
            assert "first words" in msgspec.json.encode(items["data"]).decode()
        unknown = await asked("POST", model="chat:m", input="x", previous_response_id="resp_none")
        assert unknown.status_code == 400
        assert (await asked("DELETE", f"/{first}")).json()["deleted"] is True
        for _ in range(4):
            assert (await asked("GET", f"/{first}")).status_code == 404
            assert (await asked("DELETE", f"/{first}")).status_code == 404


async def test_a_worker_that_is_killed_under_load_comes_back(tmp_path: Path) -> None:
    async with scene(tmp_path, TWO.format(drain=1.0)) as running:
        model = f"chat:{running.play(Json(whole('chat')))}"
        assert await calls(running, MANY, model) == MANY
        await asyncio.sleep(1.2)  # the figures of each second outlive their worker
        first = running.gateway.worker_pids
        os.kill(first[0], signal.SIGKILL)
        await wait_until(lambda: not alive(first[0]))
        assert await calls(running, MANY, model) >= MANY - 1
        await wait_until(lambda: len(set(running.gateway.worker_pids) - {first[0]}) == 2)
        await wait_until(lambda: '"worker_ended"' in running.gateway.log)
        assert running.gateway.log.count('"worker_ended"') == 1
        assert '"code":-9' in running.gateway.log
        await wait_until(lambda: running.gateway.log.count('"worker_started_again"') == 1)
        assert (await told(running, "/health/detailed"))["workers"]["answered"] == 2
        assert await calls(running, MANY, model) == MANY
        totals = await told(running, "/metrics/running-totals")
        assert totals["summary"]["requests"] >= 3 * MANY - 1


async def scraped(running: FaultGateway) -> dict[tuple[str, ...], float]:
    """Every counter that one of the workers tells Prometheus of, on a connection of its own."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        found = await client.get(f"{running.gateway.url}/metrics")
    assert found.status_code == 200, found.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(found.text)
        for sample in family.samples
        if family.type != "gauge"
    }


def requests(counters: dict[tuple[str, ...], float]) -> float:
    """All calls."""
    return sum(value for key, value in counters.items() if key[0] == "gateway_requests_total")


async def test_prometheus_is_told_of_all_workers_and_no_counter_shrinks(tmp_path: Path) -> None:
    async with scene(tmp_path, TWO.format(drain=1.0)) as running:
        model = f"chat:{running.play(Json(whole('chat')))}"
        told: dict[tuple[str, ...], float] = {}

        def again() -> int:
            return running.gateway.log.count('"worker_started_again"')

        for round_ in range(1, 4):
            assert await calls(running, MANY, model) == MANY
            for _ in range(4):
                before, told = told, await scraped(running)
                assert before.keys() <= told.keys()
                assert [key for key in before if told[key] < before[key]] == []
                assert requests(told) == round_ * MANY
            # At once: what was told is known to the supervisor, whichever of them told it.
            victim = running.gateway.worker_pids[0]
            os.kill(victim, signal.SIGKILL if round_ < 3 else signal.SIGTERM)
            await wait_until(lambda: not alive(victim))  # noqa: B023  # awaited here
            for _ in range(4):
                before, told = told, await scraped(running)
                assert told == before
            await wait_until(lambda: len(set(running.gateway.worker_pids) - {victim}) == 2)  # noqa: B023
            await wait_until(lambda: again() == round_, 5)  # noqa: B023


async def test_all_workers_drain(tmp_path: Path) -> None:
    async with scene(tmp_path, TWO.format(drain=0.8)) as running, AsyncExitStack() as stack:
        short = running.play(SSE(stream("chat", *"abcdef"), seconds=0.05))
        endless = running.play([HEAD, *map(Chunk, [*opening("chat"), delta("chat", "a")]), Stall()])
        ending = [await opened(stack, running, "chat", short) for _ in range(10)]
        cut = [await opened(stack, running, "messages", endless) for _ in range(10)]
        for client in cut:
            await client.read_until(b'"a"')
        began = time.monotonic()
        running.gateway.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*(received(client, "chat") for client in ending))
        assert [(each.text, each.ended) for each in answers] == [("abcdef", True)] * 10
        for end in await asyncio.gather(*(client.read_rest() for client in cut)):
            assert b"the gateway is shutting down and could not finish this answer" in end
            assert end.endswith(b"0\r\n\r\n")
        async with asyncio.timeout(5):
            assert await running.gateway.process.wait() == 0
        assert time.monotonic() - began < 0.8 + 2
        assert running.gateway.log.count('"event":"stopped"') == 2
        assert "Traceback" not in running.gateway.log
        with pytest.raises(ConnectionRefusedError):
            async with RawClient(running.gateway.port):
                pass


async def opened(
    stack: AsyncExitStack, running: FaultGateway, dialect: Dialect, model: str
) -> RawClient:
    """A client whose call for a stream has reached the upstream."""
    client = await stack.enter_async_context(RawClient(running.gateway.port))
    before = len(running.asked(model))
    await client.post(PATHS[dialect], request(dialect, f"chat:{model}", stream=True))
    await wait_until(lambda: len(running.asked(model)) > before)
    return client


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_second_signal_ends_all_at_once(tmp_path: Path, workers: int) -> None:
    options = f"[server]\nworkers = {workers}\ndrain = 30.0\n"
    async with scene(tmp_path, options) as running, AsyncExitStack() as stack:
        clients = [await opened(stack, running, "chat", running.play(Stall())) for _ in range(8)]
        running.gateway.send_signal(signal.SIGTERM)
        await wait_until(lambda: running.gateway.log.count('"draining"') == workers)
        await asyncio.sleep(0.25)  # the same signal within a blink counts once
        began = time.monotonic()
        running.gateway.send_signal(signal.SIGINT)
        async with asyncio.timeout(5):
            assert await running.gateway.process.wait() == 1
        assert time.monotonic() - began < 2.5
        for client in clients:
            with suppress(ConnectionError):
                assert await client.read_rest() == b""


async def test_a_worker_without_its_supervisor_drains_and_ends(tmp_path: Path) -> None:
    async with scene(tmp_path, TWO.format(drain=1.0)) as running, AsyncExitStack() as stack:
        model = running.play(SSE(stream("chat", *"abcdef"), seconds=0.05))
        client = await opened(stack, running, "chat", model)
        workers = running.gateway.worker_pids
        running.gateway.process.kill()
        assert (await received(client, "chat")).text == "abcdef"
        await wait_until(lambda: not any(map(alive, workers)), 4)


async def test_a_worker_that_is_told_to_end_is_replaced(tmp_path: Path) -> None:
    async with scene(tmp_path, TWO.format(drain=1.0)) as running:
        model = f"chat:{running.play(Json(whole('chat')))}"
        await calls(running, MANY, model)
        first = running.gateway.worker_pids[0]
        os.kill(first, signal.SIGTERM)
        await wait_until(lambda: not alive(first))
        await wait_until(lambda: len(set(running.gateway.worker_pids) - {first}) == 2)
        totals = await told(running, "/metrics/running-totals")
        assert totals["summary"]["requests"] == MANY


async def test_a_worker_that_drains_alone_gets_no_new_connections(tmp_path: Path) -> None:
    async with scene(tmp_path, TWO.format(drain=5.0)) as running, AsyncExitStack() as stack:
        quick = f"chat:{running.play(Json(whole('chat')))}"
        silent = running.play(Stall())
        for _ in range(MANY):  # both workers have something to drain
            await opened(stack, running, "chat", silent)
        os.kill(running.gateway.worker_pids[0], signal.SIGTERM)
        await wait_until(lambda: '"draining"' in running.gateway.log)
        await asyncio.sleep(0.1)  # the supervisor hears of it
        async with asyncio.timeout(4):
            assert await calls(running, MANY, quick) == MANY


class TestReload:
    async def test_all_workers_are_replaced_and_nobody_is_cut(self, tmp_path: Path) -> None:
        async with scene(tmp_path, TWO.format(drain=5.0)) as running, AsyncExitStack() as stack:
            path = tmp_path / "config.toml"
            model = running.play(SSE(stream("chat", *"abcdefghij"), seconds=0.1))
            quick = f"chat:{running.play(Json(whole('chat')))}"
            before = set(running.gateway.worker_pids)
            assert await calls(running, MANY, quick) == MANY
            going = [await opened(stack, running, "chat", model) for _ in range(10)]
            path.write_text(path.read_text() + f'\n[aliases]\nfresh = "{quick}"\n')
            running.gateway.send_signal(signal.SIGHUP)
            answered = asked = 0
            while '"reloaded"' not in running.gateway.log:
                asked += 4
                answered += await calls(running, 4, quick)
            assert answered == asked
            answers = await asyncio.gather(*(received(client, "chat") for client in going))
            assert [(each.text, each.ended) for each in answers] == [("abcdefghij", True)] * 10
            await wait_until(lambda: not before & set(running.gateway.worker_pids), 8)
            assert len(running.gateway.worker_pids) == 2
            assert await calls(running, MANY, "fresh") == MANY
            totals = await told(running, "/metrics/running-totals")
            assert totals["summary"]["requests"] == asked + 10 + 2 * MANY
            assert "Traceback" not in running.gateway.log

    async def test_figures_never_shrink_meanwhile(self, tmp_path: Path) -> None:
        async with scene(tmp_path, TWO.format(drain=5.0)) as running, AsyncExitStack() as stack:
            quick = f"chat:{running.play(Json(whole('chat')))}"
            await calls(running, MANY, quick)
            await opened(stack, running, "chat", running.play(Stall()))  # old workers stay a while
            assert (await told(running, "/metrics/running-totals"))["summary"]["requests"] == MANY
            running.gateway.send_signal(signal.SIGHUP)
            while '"reloaded"' not in running.gateway.log:
                totals = await told(running, "/metrics/running-totals")
                assert totals["summary"]["requests"] == MANY
            for _ in range(8):
                totals = await told(running, "/metrics/running-totals")
                assert totals["summary"]["requests"] == MANY

    async def test_a_fault_in_the_file_changes_nothing(self, tmp_path: Path) -> None:
        async with scene(tmp_path, TWO.format(drain=1.0)) as running:
            quick = f"chat:{running.play(Json(whole('chat')))}"
            before, path = running.gateway.worker_pids, tmp_path / "config.toml"
            path.write_text(path.read_text() + "\n[sever]\nport = 1\n")
            running.gateway.send_signal(signal.SIGHUP)
            await wait_until(lambda: '"not_reloaded"' in running.gateway.log, 5)
            assert "sever" in running.gateway.log
            assert running.gateway.worker_pids == before
            assert await calls(running, MANY, quick) == MANY

    async def test_no_two_workers_work_the_same_batches_off(self, tmp_path: Path) -> None:
        batch = f'[batch]\nengine = "embedded"\nfolder = "{tmp_path / "state"}"\n'
        options = TWO.format(drain=1.0) + batch
        async with scene(tmp_path, options) as running, AsyncExitStack() as stack:
            quick = f"chat:{running.play(Json(whole('chat')))}"
            before = running.gateway.worker_pids
            for _ in range(MANY):
                await opened(stack, running, "chat", running.play(Stall()))
            running.gateway.send_signal(signal.SIGHUP)
            most = 2
            while alive(before[0]):  # the first one drains; the other has not been replaced yet
                most = max(most, len(running.gateway.worker_pids))
                await asyncio.sleep(0.02)
            assert most == 2
            await wait_until(lambda: '"reloaded"' in running.gateway.log, 8)
            await wait_until(lambda: not set(before) & set(running.gateway.worker_pids), 8)
            await wait_until(lambda: len(running.gateway.worker_pids) == 2, 8)
            assert await calls(running, MANY, quick) == MANY

    async def test_a_gateway_that_is_stopped_meanwhile_ends(self, tmp_path: Path) -> None:
        for wait in (0.0, 0.1, 0.5):
            async with scene(tmp_path, TWO.format(drain=1.0)) as running:
                running.gateway.send_signal(signal.SIGHUP)
                await asyncio.sleep(wait)
                running.gateway.send_signal(signal.SIGTERM)
                async with asyncio.timeout(6):
                    assert await running.gateway.process.wait() == 0
                assert not running.gateway.log.count("Traceback")

    async def test_what_needs_a_restart_is_told(self, tmp_path: Path) -> None:
        async with scene(tmp_path, TWO.format(drain=1.0)) as running:
            path, quick = tmp_path / "config.toml", f"chat:{running.play(Json(whole('chat')))}"
            path.write_text(path.read_text().replace("workers = 2", "workers = 3"))
            running.gateway.send_signal(signal.SIGHUP)
            await wait_until(lambda: '"reloaded"' in running.gateway.log, 8)
            assert '"option":"server.workers"' in running.gateway.log
            assert await calls(running, MANY, quick) == MANY

    async def test_a_single_process_says_what_to_do(self, tmp_path: Path) -> None:
        async with scene(tmp_path, "[server]\nworkers = 1\n") as running:
            running.gateway.send_signal(signal.SIGHUP)
            await wait_until(lambda: '"not_reloaded"' in running.gateway.log, 5)
            quick = f"chat:{running.play(Json(whole('chat')))}"
            assert await calls(running, 2, quick) == 2


def test_cores_that_may_be_used_are_counted() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


class TestStart:
    @pytest.mark.parametrize("seconds", [0.0, 0.2, 0.4])
    async def test_a_gateway_that_is_stopped_while_it_starts_ends(
        self, tmp_path: Path, seconds: float
    ) -> None:
        file = tmp_path / "config.toml"
        file.write_text("[server]\nworkers = 2\ndiscover = false\n")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve", "-c", str(file), "--port", "0",
            cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )  # fmt: skip
        assert process.stderr is not None
        log = await process.stderr.readline()
        assert b'"starting"' in log
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            log += await process.stderr.read()
            code = await process.wait()
        assert b"Traceback" not in log, log
        assert code == (0 if b'"stopped"' in log else -signal.SIGTERM)

    def serve(self, folder: Path, config: str, port: int) -> tuple[int, list[dict[str, Any]]]:
        """The exit code of a gateway that does not start, and its log."""
        file = folder / "config.toml"
        file.write_text(config)
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "serve", "-c", str(file), "--port", str(port)],
            cwd=ROOT, capture_output=True, timeout=20, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )  # fmt: skip
        return done.returncode, [msgspec.json.decode(line) for line in done.stderr.splitlines()]

    async def test_a_busy_port_is_told_once(self, tmp_path: Path) -> None:
        config = TWO.format(drain=1.0)
        async with scene(tmp_path / "first", config) as running:
            for workers in (1, 2):
                text = f"[server]\nworkers = {workers}\ndiscover = false\n"
                code, log = await asyncio.to_thread(
                    self.serve, tmp_path, text, running.gateway.port
                )
                assert code == 1
                assert [(each["event"], each.get("error")) for each in log] == [
                    ("starting", None), ("cannot_listen", "Address already in use"),
                ]  # fmt: skip

    async def test_what_keeps_workers_from_starting_is_told_once(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("no folder")
        text = (
            "[server]\nworkers = 3\ndiscover = false\n"
            f'[batch]\nengine = "embedded"\nfolder = "{tmp_path / "state"}"\n'
        )
        code, log = await asyncio.to_thread(self.serve, tmp_path, text, 0)
        assert code == 1
        assert sum("NotADirectoryError" in each["event"] for each in log) == 1
        assert not any(each["event"] == "listening" for each in log)
