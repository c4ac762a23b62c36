"""How much sooner a batch is answered than its items one after another, and whom that slows."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.client import RawClient
from tests.faults.batches import batch, batching, echo, item, responses
from tests.faults.scene import FaultGateway
from tests.faults.wires import BOTH, Dialect, encode, received

COUNT = 50
SECONDS = 0.1


async def one_after_another(running: FaultGateway, model: str, count: int) -> list[float]:
    """The seconds that each of so many calls takes over one connection."""
    took = []
    async with RawClient(running.gateway.port) as client:
        for _ in range(count):
            began = time.monotonic()
            await client.post("/v1/messages", encode(item(model)))
            assert (await received(client, "messages")).text == "hi"
            took.append(time.monotonic() - began)
    return took


async def ratio(running: FaultGateway, upstream: Dialect, alone: int) -> float:
    """How many times sooner; so many of the calls are made alone, the others reckoned."""
    model = f"{upstream}:{running.play(echo(upstream, SECONDS))}"
    slow = sum(await one_after_another(running, model, alone)) / alone * COUNT
    began = time.monotonic()
    answer = await batch(running.gateway.port, [item(model)] * COUNT)
    quick = time.monotonic() - began
    assert responses(answer) == ["hi"] * COUNT
    print(f"\n{upstream}: {slow:.2f} s one after another, {quick:.3f} s as a batch")
    return slow / quick


@pytest.mark.parametrize("upstream", BOTH)
async def test_a_batch_is_many_times_sooner(tmp_path: Path, upstream: Dialect) -> None:
    async with batching(tmp_path) as running:
        assert await ratio(running, upstream, 5) >= 8


@pytest.mark.torture
@pytest.mark.parametrize("upstream", BOTH)
async def test_a_batch_is_15_times_sooner(tmp_path: Path, upstream: Dialect) -> None:
    async with batching(tmp_path) as running:
        assert await ratio(running, upstream, COUNT) >= 15


SENDER = """
import http.client, sys
port, model = int(sys.argv[1]), sys.argv[2]
item = '{"model":"%s","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}' % model
body = '{"messages":[' + ",".join([item] * 1000) + "]}"
client = http.client.HTTPConnection("127.0.0.1", port)
while True:
    client.request("POST", "/v1/messages/batch", body)
    assert client.getresponse().read().count(b'"success":true') == 1000
    print(1000, flush=True)
"""


@asynccontextmanager
async def senders(port: int, model: str, count: int) -> AsyncIterator[list[bytes]]:
    """Processes that send one large batch after another; a line for each that was answered."""
    answered: list[bytes] = []
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDER, str(port), model, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(count)
    ]
    readers = [asyncio.ensure_future(_lines(process, answered)) for process in processes]
    try:
        await asyncio.sleep(0.5)
        yield answered
        assert all(process.returncode is None for process in processes)
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*readers)


async def _lines(process: asyncio.subprocess.Process, answered: list[bytes]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        answered.append(line)


@pytest.mark.torture
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["echo:m", "upstream"])
async def test_other_calls_are_not_slowed_much_by_large_batches(tmp_path: Path, kind: str) -> None:
    echoes = '[providers.echo]\nuse = "echo"\n'
    async with batching(tmp_path, "", echoes) as running:
        port, model = running.gateway.port, f"chat:{running.play(echo('chat', 0.02))}"
        quiet = sorted(await one_after_another(running, model, 200))
        async with senders(port, kind if ":" in kind else model, 2) as answered:
            busy = sorted(await one_after_another(running, model, 200))
        for name, took in (("alone", quiet), (f"beside {len(answered)} batches of 1000", busy)):
            print(
                f"\n{kind}, {name}: median {took[100] * 1e3:.1f} ms, p99 {took[198] * 1e3:.1f} ms"
            )
        assert answered
        assert busy[100] < quiet[100] + 0.03
        assert busy[198] < quiet[198] + 0.1


@pytest.mark.torture
@pytest.mark.timeout(120)
async def test_memory_after_many_batches_is_that_of_a_few(tmp_path: Path) -> None:
    async with batching(tmp_path, "retained = 10") as running:
        port, model = running.gateway.port, f"messages:{running.play(echo('messages'))}"
        items = [item(model, "x" * 2000)] * 500
        for _ in range(4):
            await batch(port, items, seconds=60)
        before = running.gateway.rss_bytes
        for _ in range(20):
            await batch(port, items, seconds=60)
        grown = running.gateway.rss_bytes - before
        print(f"\n{grown / 2**20:.1f} MiB more after 20 batches of 500")
        assert grown < 30 * 2**20
