"""A gateway between a real client and an upstream that plays an agent's conversation."""

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tests.clients.tap import Tap, tapped
from tests.fakes.running import GatewayProcess, run_gateway
from tests.fakes.steps import SSE, Json, ReceivedRequest, Script
from tests.fakes.upstream import ScriptedUpstream
from tests.pairs.rows import NAMED, providers
from tests.pairs.said import Ask, Called, ModelAnswer, Row

KEY = "gw-key-of-the-tests"
MODEL = "the-model"
CALL_ID = "call_1a2b3c4d5e"
DONE = "All done, said the model."
MODELS = {"data": [{"type": "model", "id": MODEL, "display_name": "The Model"}], "has_more": False}
"""Every upstream's list of models."""
CONFIG = """
[server]
seal_key = "a-key-for-the-tests-that-seals-reasoning"
discover = false
[auth]
keys = ["{key}"]
[log]
format = "json"
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "history"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
"""


@dataclass
class Plot:
    """What the model does: one tool call, and an answer once its result has come."""

    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    done: str = DONE
    call_id: str = CALL_ID
    before: list[Callable[[Row], Script]] = field(default_factory=list)
    """What the upstream answers first, whatever is asked."""

    def next(self, ask: Ask) -> ModelAnswer:
        """The model's next answer."""
        if self.tool not in ask.tools or ask.results:
            return ModelAnswer(text=self.done)
        call = Called(self.call_id, self.tool, msgspec.json.encode(self.arguments).decode())
        return ModelAnswer("I shall call a tool.", calls=(call,), stop="tools")


@dataclass
class Turn:
    """One request that reached the upstream."""

    row: Row
    request: ReceivedRequest
    ask: Ask

    @property
    def body(self) -> dict[str, Any]:
        """The request's members."""
        told: dict[str, Any] = msgspec.json.decode(self.request.body)
        return told


@dataclass
class CliGateway:
    """The gateway's address, and what reached the upstream behind it."""

    gateway: GatewayProcess
    tap: Tap
    upstream: ScriptedUpstream
    folder: Path
    turns: list[Turn] = field(default_factory=list)
    others: list[ReceivedRequest] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.tap.url

    @property
    def loop(self) -> list[Turn]:
        """The turns in which the model was offered the plot's tool, in order."""
        return [turn for turn in self.turns if turn.ask.tools]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The lines that the gateway logged, one of each call."""
        lines = [
            msgspec.json.decode(line) for line in self.gateway.log.splitlines() if line[:1] == "{"
        ]
        return [line for line in lines if "dialect" in line]

    @property
    def warnings(self) -> set[str]:
        """All that a conversion could not carry, places in lists as N."""
        all = {warning for line in self.calls for warning in line.get("warnings") or ()}
        return {re.sub(r"\.\d+\b", ".N", warning) for warning in all}


@asynccontextmanager
async def hall(plot: Plot, more: str = "") -> AsyncIterator[CliGateway]:
    """A gateway whose providers, one of each dialect, play the plot; `more` is configuration."""
    turns: list[Turn] = []
    others: list[ReceivedRequest] = []

    def select(request: ReceivedRequest) -> Script:
        row = NAMED.get(request.path.split("/")[1])
        if request.path.endswith("/count_tokens"):
            others.append(request)
            return [Json({"input_tokens": 42})]
        if request.method == "GET" and request.path.partition("?")[0].endswith("/models"):
            others.append(request)
            return [Json(MODELS)]
        if row is None or request.method != "POST":
            others.append(request)
            return [Json({"error": {"message": "no such path"}}, 404)]
        ask = row.asked(request.body)
        turns.append(Turn(row, request, ask))
        if plot.before:
            return plot.before.pop(0)(row)
        said = plot.next(ask)
        if row.streams(request.path, request.body):
            return [SSE(row.stream(said))]
        return [Json(row.whole(said))]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with ScriptedUpstream(select=select, seconds=60) as upstream:
            config = CONFIG.format(key=KEY) + providers(upstream.url) + more
            async with run_gateway(folder, config) as running, tapped(running.port) as tap:
                yield CliGateway(running, tap, upstream, folder, turns, others)


@dataclass
class Ran:
    """How a client's process ended."""

    code: int
    out: str
    err: str


async def run(command: list[str], folder: Path, env: dict[str, str], seconds: float = 90) -> Ran:
    """Runs a client to its end with a temporary HOME, in that folder; kills it past its time."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1"} | env,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = await process.communicate()
        raise AssertionError(f"{command[0]} did not end:\n{out.decode()}\n{err.decode()}") from None
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
