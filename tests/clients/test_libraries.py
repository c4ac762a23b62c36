"""Libraries that speak to models, through the gateway, to upstreams of every dialect."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from tests.clients.conftest import client
from tests.clients.hall import CALL_ID, DONE, KEY, MODEL, CliGateway, Plot, hall, run
from tests.clients.install import ENV
from tests.pairs.rows import ROWS
from tests.pairs.said import Ask, Called, ModelAnswer, Row

pytestmark = pytest.mark.clients
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
LOST = {"parallel_tool_calls:unsupported_by_target"}
"""Gemini cannot be told to make one call only."""
OSLO = {"city": "Oslo", "degrees": 7}
WRONG = {"city": "Oslo", "degrees": 700}


@dataclass(frozen=True)
class Library:
    """A library's client, and which of its ways it takes."""

    name: str
    speaks: str
    way: str = ""

    def __str__(self) -> str:
        return "-".join(part for part in (self.name, self.way, self.speaks) if part)


LOOPS = [
    Library("ai-sdk", "chat", "openai"),
    Library("ai-sdk", "chat", "compatible"),
    Library("ai-sdk", "messages", "anthropic"),
    Library("ai-sdk", "responses", "responses"),
    Library("ai-sdk", "gemini", "google"),
    Library("google-genai", "gemini"),
    Library("langchain", "chat"),
    Library("langchain", "messages"),
    Library("langchain", "responses"),
    Library("pydantic-ai", "chat"),
    Library("pydantic-ai", "messages"),
    Library("pydantic-ai", "responses"),
]
MODES = [
    Library("instructor", "chat", "TOOLS"),
    Library("instructor", "chat", "JSON_SCHEMA"),
    Library("instructor", "messages", "TOOLS"),
    Library("instructor", "messages", "JSON"),
]


class Structured(Plot):
    """The model answers with those objects in turn, as a call where it is offered a tool."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__()
        self.objects = list(objects)

    def next(self, ask: Ask) -> ModelAnswer:
        told = msgspec.json.encode(
            self.objects.pop(0) if len(self.objects) > 1 else self.objects[0]
        ).decode()
        if not ask.tools:
            return ModelAnswer(text=told)
        return ModelAnswer(calls=(Called(CALL_ID, ask.tools[0], told),), stop="tools")


async def told(opened: CliGateway, library: Library, row: Row, **task: object) -> dict[str, Any]:
    """What the library made of its task."""
    folder = client(library.name)
    command = (
        ["node", str(folder / "client.mjs")]
        if library.name == "ai-sdk"
        else [str(folder / "bin" / "python"), str(ENV / library.name / "client.py")]
    )
    whole = {
        "url": opened.url, "key": KEY, "model": f"{row.name}:{MODEL}", "speaks": library.speaks,
        "with": library.way, "mode": library.way, "stream": False,
    } | task  # fmt: skip
    ran = await run([*command, msgspec.json.encode(whole).decode()], opened.folder, {})
    assert ran.code == 0, ran.err[-3000:]
    made: dict[str, Any] = msgspec.json.decode(ran.out.strip().splitlines()[-1])
    return made


def served(opened: CliGateway) -> None:
    """Every call was answered whole, and only what is known to get lost was lost."""
    ends = {(line["status"], line["end"], line["error"]) for line in opened.calls}
    assert ends == {(200, "complete", "")}
    assert opened.warnings <= LOST


@each_row
@each_way
@pytest.mark.parametrize("library", LOOPS, ids=str)
async def test_a_tool_loop(row: Row, library: Library, stream: bool) -> None:
    async with hall(Plot("lookup", {"city": "Oslo"})) as opened:
        made = await told(opened, library, row, task="tools", stream=stream)
        assert made["ran"] == [{"city": "Oslo"}]
        assert made["text"].endswith(DONE)
        served(opened)
        asking, telling = opened.turns
    assert asking.ask.tools == telling.ask.tools == ("lookup",)
    (call,) = telling.ask.calls
    assert (call.id, call.name) == (CALL_ID, "lookup")
    assert msgspec.json.decode(call.arguments) == {"city": "Oslo"}
    ((id, result),) = telling.ask.results
    assert id == CALL_ID or (not id and library.name == "google-genai")  # it drops the ids of calls
    assert "Oslo is sunny" in result
    asked, again = (row.turns(turn.request.body) for turn in (asking, telling))
    assert again[: len(asked)] == asked


@each_row
@pytest.mark.parametrize("library", LOOPS, ids=str)
async def test_a_structured_answer(row: Row, library: Library) -> None:
    async with hall(Structured(OSLO)) as opened:
        made = await told(opened, library, row, task="structured")
        assert made["object"] == OSLO
        served(opened)


@each_row
async def test_a_structured_answer_as_text(row: Row) -> None:
    library = Library("pydantic-ai", "chat")
    async with hall(Structured(OSLO)) as opened:
        made = await told(opened, library, row, task="native")
        assert made["object"] == OSLO
        served(opened)


@each_row
@pytest.mark.parametrize("library", MODES, ids=str)
async def test_an_answer_that_does_not_fit_is_asked_for_again(row: Row, library: Library) -> None:
    async with hall(Structured(WRONG, OSLO)) as opened:
        made = await told(opened, library, row)
        assert made["object"] == OSLO
        served(opened)
        assert len(opened.turns) == 2
        assert b"no city is that hot" in opened.turns[1].request.body
