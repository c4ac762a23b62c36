"""Gateways that share a Postgres."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.batches.house import (
    BatchGateway,
    ended,
    file_lines,
    line,
    opened,
    over,
    request,
    results,
)
from tests.batches.postgres import postgres
from tests.batches.test_resume import KEY, kill, resumed, upstream

BATCHES, ITEMS, IN_FLIGHT = 4, 60, 4
OPTIONS = f"chunk = 10\nconcurrency = {IN_FLIGHT}\n"


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """A folder for each gateway."""
    made = {name: tmp_path / name for name in ("a", "b")}
    for folder in made.values():
        folder.mkdir()
    return made


async def test_two_gateways_share_batches_and_files_and_one_may_die(
    folders: dict[str, Path],
) -> None:
    async with postgres() as url, upstream(0.03) as up, AsyncExitStack() as stack:

        async def started(name: str) -> BatchGateway:
            options = f'{OPTIONS}node = "{name}"\n'
            return await stack.enter_async_context(opened(folders[name], up, options, url))

        one, other = await asyncio.gather(started("a"), started("b"))
        here = one.anthropic(KEY)
        batches = [
            await client.messages.batches.create(
                requests=[request(f"c-{n}", "chat:good", f"item {n}") for n in range(ITEMS)]
            )
            for client in (here, other.anthropic(KEY)) * (BATCHES // 2)
        ]
        await resumed(up)
        await kill(other)
        other = await started("b")
        for batch in batches:
            await ended(here, batch.id, 30)
            assert len(await results(other.anthropic(KEY), batch.id)) == ITEMS
        assert 0 <= len(up.requests) - BATCHES * ITEMS <= IN_FLIGHT
        await _files(one, other)


async def _files(one: BatchGateway, other: BatchGateway) -> None:
    """A file that one of them took, a batch of it by the other."""
    taking = one.openai(KEY)
    lines = b"".join(line(f"c-{n}", "chat:good", f"item {n}") for n in range(20))
    file = await taking.files.create(file=("in.jsonl", lines), purpose="batch")
    assert (await taking.files.content(file.id)).content == lines
    batch = await other.openai(KEY).batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    done = await over(taking, batch.id)
    assert done.status == "completed"
    assert len(await file_lines(taking, done.output_file_id)) == 20
    output = await taking.files.retrieve(done.output_file_id or "")
    content = await taking.files.content(output.id)
    assert output.bytes == len(content.content)
