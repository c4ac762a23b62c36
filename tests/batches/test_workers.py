"""Batches where several workers serve: each takes them, one works them off, all tell of them."""

import asyncio
import os
import signal
from pathlib import Path

from tests.batches.house import BatchGateway, config, ended, line, over, request, results, script
from tests.fakes.running import run_gateway
from tests.fakes.upstream import ScriptedUpstream


async def test_a_batch_is_worked_off_once_whichever_worker_takes_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(
        select=lambda request: script(request, gate), seconds=60
    ) as upstream:
        text = config(tmp_path, upstream.url, "", "embedded")
        text = text.replace("[server]\n", "[server]\nworkers = 2\ndrain = 1.0\n")
        async with run_gateway(tmp_path, text) as running:
            house = BatchGateway(running, upstream, gate)
            # A client for each request: a new connection, and with it one worker or the other.
            taken = []
            for number in range(8):
                key = house.key()
                wanted = [request(f"c{n}", text=f"word {number} {n}") for n in range(3)]
                batch = await house.anthropic(key).messages.batches.create(requests=wanted)
                taken.append((key, batch.id))
            for key, batch_id in taken:
                client = house.anthropic(key)
                assert (await ended(client, batch_id)).request_counts.succeeded == 3
                assert len(await results(client, batch_id)) == 3
            assert len(upstream.requests) == 24
            # What the first worker leaves when it is killed, the one in its place takes up.
            key = house.key()
            tenant = house.openai(key)
            slow = b"".join(line(f"c{n}", "chat:slow", f"slow {n}") for n in range(2))
            file = await tenant.files.create(file=("in.jsonl", slow), purpose="batch")
            slow_batch = await tenant.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            await house.arrived("slow 1", 1)
            os.kill(running.worker_pids[0], signal.SIGKILL)
            gate.set()
            found = await over(house.openai(key), slow_batch.id)
            assert found.request_counts is not None
            assert found.request_counts.completed == 2
            await house.close()
