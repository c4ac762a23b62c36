"""Runs every item on every way, whole and streamed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tests.conformance.answers import read
from tests.conformance.anthropic_items import ANTHROPIC
from tests.conformance.further import FURTHER
from tests.conformance.hall import ConformanceGateway, Missing
from tests.conformance.openai_items import OPENAI
from tests.conformance.openrouter_items import OPENROUTER
from tests.conformance.table import PLAIN, SPEAKS, TOLD, Dialect, Family, Item, Json, Way
from tests.fakes.steps import SSE, Json as Whole, ReceivedRequest
from tests.faults.wires import PATHS, Answer

FAMILIES: tuple[Family, ...] = (ANTHROPIC, OPENAI, OPENROUTER)
_MODES = {"both": (False, True), "only": (True,), "never": (False,)}


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

    @property
    def reason(self) -> str:
        """Why it has not passed."""
        return self.missing or "; ".join(self.faults) or "not checked"


@dataclass
class Matrix:
    """A whole run."""

    results: list[Result]
    compatibility: set[bytes | None]
    """Every value of `X-API-Compatibility` that was seen."""


async def go(hall: ConformanceGateway, way: Way, client: Dialect, *, streamed: bool) -> None:
    """AssertionError where a way is not as the table has it."""
    hall.script = SSE(way.said.frames) if streamed else Whole(way.said.whole)
    sent = _request(way, client, streamed=streamed)
    answer = await hall.post(PATHS[client], sent, client)
    if way.refused:
        assert answer.status == 400, answer.body
        assert [error["message"] for error in answer.errors] == [way.refused], answer.body
        assert not hall.upstream.requests, "a refused request went on"
        return
    assert answer.status == 200, (answer.status, answer.body)
    warned = answer.headers.get(b"x-gateway-warnings", b"").decode()
    assert warned == ", ".join(way.warns), f"the warnings are {warned!r}"
    (request,) = hall.upstream.requests
    _check_request(way, client, sent, request, streamed=streamed)
    _check_answer(way, client, answer, streamed=streamed)


def _request(way: Way, client: Dialect, *, streamed: bool) -> Json:
    body: Json = {"model": f"{way.to}:{way.id}"} | PLAIN[client] | way.sends
    if streamed and way.streams == "both":
        body["stream"] = True
        if client == "chat":
            body["stream_options"] = {"include_usage": True}
    return body


def _check_request(
    way: Way, client: Dialect, sent: Json, request: ReceivedRequest, *, streamed: bool
) -> None:
    path = f"/{way.to}{PATHS[SPEAKS[way.to]]}"
    assert (request.method, request.path) == ("POST", path), request.path
    if way.reaches is None:
        wanted = msgspec.json.encode(sent | {"model": way.id} | way.adds)
        assert request.body == wanted, f"the upstream got {request.body!r} and not {wanted!r}"
        return
    body: Json = {"model": way.id} | way.plain(client) | way.reached(streamed=streamed)
    found = msgspec.json.decode(request.body)
    assert found == body, f"the upstream got {found} and not {body}"


def _check_answer(way: Way, client: Dialect, answer: Answer, *, streamed: bool) -> None:
    if way.reaches is None:
        frames = [f for f in way.said.frames if not (way.adds and b'"choices":[]' in f)]
        wanted = b"".join(frames) if streamed else msgspec.json.encode(way.said.whole)
        assert answer.body == wanted, f"the client got {answer.body!r} and not {wanted!r}"
        return
    assert answer.streamed == streamed, answer.headers
    told = TOLD[client] | {"model": f"{way.to}:{way.id}"} | way.told
    found = read(client, answer.body, streamed=streamed)
    told = {name: found.get(name) if value is ... else value for name, value in told.items()}
    assert found == told, f"the client got {found} and not {told}"


async def check(hall: ConformanceGateway, family: Family, item: Item) -> Result:
    """Every way of an item, and whatever else shows it."""
    result = Result(family, item)
    for way in item.ways:
        client = way.client or family.client
        for streamed in _MODES["never" if way.refused else way.streams]:
            result.checks += 1
            try:
                await go(hall, way, client, streamed=streamed)
            except AssertionError as fault:
                how = "streamed" if streamed else "whole"
                result.faults.append(f"{client} client to {way.to}, {how}: {fault}")
    for further in FURTHER.get((family.name, item.name), ()):
        result.checks += 1
        try:
            await further(hall)
        except Missing as reason:
            result.missing = str(reason)
        except AssertionError as fault:
            result.faults.append(f"{further.__name__}: {fault}")
    return result


async def matrix(families: Sequence[Family] = FAMILIES) -> Matrix:
    """What every item showed."""
    async with asyncio.timeout(60), ConformanceGateway() as hall:
        results = [await check(hall, family, item) for family in families for item in family.items]
    return Matrix(results, hall.compatibility)
