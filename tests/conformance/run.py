"""Runs every item: one gateway, one scripted upstream, one connection, one request at a time."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.conformance.anthropic_items import ANTHROPIC
from tests.conformance.answers import read
from tests.conformance.openai_items import OPENAI
from tests.conformance.openrouter_items import OPENROUTER
from tests.conformance.table import PLAIN, SPEAKS, TOLD, Dialect, Family, Item, Json, Way
from tests.fakes.client import RawClient
from tests.fakes.running import gateway
from tests.fakes.steps import SSE, Json as Whole, Received, Script
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.wires import PATHS, Answer, received

FAMILIES: tuple[Family, ...] = (ANTHROPIC, OPENAI, OPENROUTER)
CONFIG = """
[server]
seal_key = "a-key-for-the-tests-that-seals-reasoning"
discover = false
"""
PROVIDER = """
[providers.{name}]
api_key = "upstream-key-{name}"
base_url = "{url}/{name}/v1"
"""
VERSION = ("anthropic-version", "2023-06-01")


@dataclass
class Result:
    """What the run showed of one item."""

    family: Family
    item: Item
    checks: int = 0
    faults: list[str] = field(default_factory=list)
    missing: str = ""
    """Why the item cannot be there at all."""

    @property
    def passed(self) -> bool:
        """Whether every check of it held; an item that was not checked has not passed."""
        return self.checks > 0 and not self.faults and not self.missing


class Hall:
    """Where the matrix runs."""

    def __init__(self) -> None:
        self.upstream = ScriptedUpstream(select=lambda _: self.script)
        self.script: Script = Whole()
        self.compatibility: set[bytes | None] = set()
        """Every value of the header that tells the counts."""
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        await self._open.enter_async_context(self.upstream)
        config = CONFIG + "".join(PROVIDER.format(name=n, url=self.upstream.url) for n in SPEAKS)
        running = await self._open.enter_async_context(gateway(folder, config))
        self._client = await self._open.enter_async_context(RawClient(running.port))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    async def post(self, path: str, body: object, client: Dialect) -> Answer:
        """What the gateway answers; the upstream's list of requests begins with it."""
        self.upstream.requests.clear()
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        await self._client.post(path, data, VERSION)
        return self._counted(await received(self._client, client))

    async def get(self, path: str) -> Answer:
        """The answer of an endpoint that takes no body."""
        await self._client.get(path, VERSION)
        return self._counted(await received(self._client, "messages"))

    def _counted(self, answer: Answer) -> Answer:
        self.compatibility.add(answer.headers.get(b"x-api-compatibility"))
        return answer

    async def go(self, way: Way, client: Dialect, *, streamed: bool) -> None:
        """AssertionError where a way is not as the table has it."""
        said = way.said
        self.script = SSE(said.frames) if streamed else Whole(said.whole)
        sent = _request(way, client, streamed=streamed)
        answer = await self.post(PATHS[client], sent, client)
        if way.refused:
            assert answer.status == 400, answer.body
            assert [error["message"] for error in answer.errors] == [way.refused]
            assert not self.upstream.requests, "a refused request went on"
            return
        assert answer.status == 200, (answer.status, answer.body)
        warned = answer.headers.get(b"x-gateway-warnings", b"").decode()
        assert warned == ", ".join(way.warns), f"warnings: {warned!r}"
        (request,) = self.upstream.requests
        _check_request(way, client, sent, request, streamed=streamed)
        _check_answer(way, client, answer, streamed=streamed)


def _request(way: Way, client: Dialect, *, streamed: bool) -> Json:
    body = {"model": f"{way.to}:{way.id}"} | PLAIN[client] | way.sends
    if streamed and way.streams == "both":
        body["stream"] = True
        if client == "chat":
            body["stream_options"] = {"include_usage": True}
    return body


def _check_request(
    way: Way, client: Dialect, sent: Json, request: Received, *, streamed: bool
) -> None:
    path = PATHS[SPEAKS[way.to]]
    assert (request.method, request.path) == ("POST", f"/{way.to}{path}"), request.path
    if way.reaches is None:
        wanted = msgspec.json.encode(sent | {"model": way.id})
        assert request.body == wanted, f"{request.body!r} is not {wanted!r}"
        return
    body = {"model": way.id} | way.plain(client) | way.reaches
    if streamed:
        body["stream"] = True
        if SPEAKS[way.to] == "chat":
            unpadded = {"include_obfuscation": False} if way.to == "openai" else {}
            body["stream_options"] = {"include_usage": True} | unpadded
    found = msgspec.json.decode(request.body)
    assert found == body, f"the upstream got {found} and not {body}"


def _check_answer(way: Way, client: Dialect, answer: Answer, *, streamed: bool) -> None:
    if way.reaches is None:
        wanted = b"".join(way.said.frames) if streamed else msgspec.json.encode(way.said.whole)
        assert answer.body == wanted, f"{answer.body!r} is not {wanted!r}"
        return
    assert answer.streamed == streamed
    told = TOLD[client] | {"model": f"{way.to}:{way.id}"} | way.told
    found = read(client, answer.body, streamed=streamed)
    assert found == told, f"the client got {found} and not {told}"


async def check(hall: Hall, family: Family, item: Item) -> Result:
    """Every way of an item, whole and streamed."""
    result = Result(family, item)
    for way in item.ways:
        client = way.client or family.client
        for streamed in (False, True) if way.streams == "both" else (True,):
            if streamed and way.refused:
                continue
            result.checks += 1
            try:
                await hall.go(way, client, streamed=streamed)
            except AssertionError as fault:
                how = "streamed" if streamed else "whole"
                result.faults.append(f"{client} client to {way.to}, {how}: {fault}")
    return result


async def matrix(families: Sequence[Family] = FAMILIES) -> tuple[list[Result], set[bytes | None]]:
    """What every item showed, and every value of `X-API-Compatibility` seen."""
    async with asyncio.timeout(60), Hall() as hall:
        results = [await check(hall, family, item) for family in families for item in family.items]
    return results, hall.compatibility
