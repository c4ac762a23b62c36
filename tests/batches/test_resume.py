"""What a batch comes to when its gateway dies, or is stopped, at any moment."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import pytest

from tests.batches.house import BatchGateway, ended, opened, request, results, words
from tests.batches.postgres import postgres
from tests.fakes.steps import Json, ReceivedRequest, Script, ScriptExchange, StepFunction
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.wires import whole

IN_FLIGHT = 8
OPTIONS = f"concurrency = {IN_FLIGHT}\nchunk = 25\n"
KEY = "gw-key-0"


def _slowly(seconds: float) -> StepFunction:
    async def answer(exchange: ScriptExchange) -> None:
        await asyncio.sleep(seconds)
        await Json(whole("chat", words(exchange.request)))(exchange)

    return answer


@asynccontextmanager
async def upstream(seconds: float) -> AsyncIterator[ScriptedUpstream]:
    """An upstream that says what it was told, after a while."""

    def select(request: ReceivedRequest) -> Script:
        return _slowly(seconds)

    async with ScriptedUpstream(select=select, seconds=60) as made:
        yield made


async def kill(house: BatchGateway) -> None:
    """SIGKILL, and the process is gone."""
    house.gateway.send_signal(signal.SIGKILL)
    await house.gateway.process.wait()


async def resumed(up: ScriptedUpstream) -> None:
    """Returns when something more reaches the upstream, or nothing does for a while."""
    before, deadline = len(up.requests), time.monotonic() + 3
    while len(up.requests) == before and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def survives(folder: Path, engine: str, *, kills: int, items: int, seed: int) -> str:
    """A batch of that many items under that many kills at random moments; what it came to."""
    chance = random.Random(seed)
    asked = [request(f"c-{n}", "chat:good", f"item {n}") for n in range(items)]
    async with upstream(0.05) as up:
        async with opened(folder, up, OPTIONS, engine) as house:
            batch = await house.anthropic(KEY).messages.batches.create(requests=asked)
            file = await house.openai(KEY).files.create(file=("in", b"{}" * 999), purpose="batch")
            await kill(house)  # both were acknowledged: that is enough
        started = time.monotonic()
        for _ in range(kills - 1):
            async with opened(folder, up, OPTIONS, engine) as house:
                if chance.random() < 0.8:  # else while it starts
                    await resumed(up)
                await asyncio.sleep(chance.uniform(0, 0.15))
                await kill(house)
        async with opened(folder, up, OPTIONS, engine) as house:
            client = house.anthropic(KEY)
            await ended(client, batch.id, 120)
            found = await results(client, batch.id)
            assert (await house.openai(KEY).files.content(file.id)).content == b"{}" * 999
        seconds = time.monotonic() - started
        said = {key: result.message.content[0].text for key, result in found.items()}
        assert said == {f"c-{n}": f"item {n}" for n in range(items)}
        times = Counter(words(each) for each in up.requests)
        assert len(times) == items
        repeats = sum(times.values()) - items
        assert repeats <= kills * IN_FLIGHT
        return f"{items} items, {kills} kills: {repeats} asked again, {seconds:.1f} s"


async def test_no_item_is_lost_and_none_told_twice_whenever_the_gateway_dies(
    tmp_path: Path,
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}: {await survives(tmp_path, 'embedded', kills=3, items=200, seed=seed)}")


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["embedded", "postgres"])
async def test_fifty_kills(tmp_path: Path, engine: str) -> None:
    seed = random.randrange(1_000_000)
    if engine == "postgres":
        async with postgres() as url:
            told = await survives(tmp_path, url, kills=50, items=2000, seed=seed)
    else:
        told = await survives(tmp_path, engine, kills=50, items=2000, seed=seed)
    print(f"seed {seed}, {engine}: {told}")


async def test_stopped_it_ends_what_is_in_flight_and_goes_on_afterwards(tmp_path: Path) -> None:
    asked = [request(f"c-{n}", "chat:good", f"item {n}") for n in range(24)]
    async with upstream(0.2) as up:
        async with opened(tmp_path, up, OPTIONS) as house:
            batch = await house.anthropic(KEY).messages.batches.create(requests=asked)
            await house.arrived("item", IN_FLIGHT)
        assert len(up.requests) < len(asked)
        async with opened(tmp_path, up, OPTIONS) as house:
            client = house.anthropic(KEY)
            await ended(client, batch.id)
            assert len(await results(client, batch.id)) == len(asked)
    assert Counter(words(each) for each in up.requests).most_common(1)[0][1] == 1


@pytest.mark.torture
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
async def test_a_full_disk_holds_a_batch_up_and_loses_nothing_of_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    if await _run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(state)):
        pytest.skip("mounting is not allowed here")
    try:
        asked = [request(f"c-{n}", "chat:good", "x" * 2000) for n in range(300)]
        async with upstream(0.01) as up, opened(tmp_path, up, OPTIONS) as house:
            client = house.anthropic(KEY)
            batch = await client.messages.batches.create(requests=asked)
            (state / "fill").write_bytes(bytes(800_000))
            await asyncio.sleep(4)
            with pytest.raises(anthropic.InternalServerError) as caught:
                await client.messages.batches.create(requests=asked)
            assert caught.value.status_code == 503
            (state / "fill").unlink()
            assert not await _run("mount", "-o", "remount,size=40m", str(state))
            await ended(client, batch.id)
            assert len(await results(client, batch.id)) == len(asked) == len(up.requests)
    finally:
        await _run("umount", str(state))


async def _run(*command: str) -> int:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    return await process.wait()
