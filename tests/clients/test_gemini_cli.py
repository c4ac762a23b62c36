"""Gemini CLI through the gateway, to upstreams of every dialect."""

from typing import Any

import msgspec
import pytest

from tests.clients.gemini_cli import gemini
from tests.clients.hall import CALL_ID, DONE, KEY, MODEL, Plot, hall
from tests.fakes.steps import Json
from tests.pairs.rows import NAMED, ROWS
from tests.pairs.said import Ask, Called, ModelAnswer, Row

pytestmark = pytest.mark.clients
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
WORDS = "hello from the model"


class Thinking(Plot):
    """The model thinks before it writes the file."""

    def next(self, ask: Ask) -> ModelAnswer:
        if ask.results or self.tool not in ask.tools:
            return ModelAnswer(text=self.done)
        told = msgspec.json.encode(self.arguments).decode()
        calls = (Called(CALL_ID, self.tool, told),)
        return ModelAnswer("I shall write.", thinking="Shall I?", calls=calls, stop="tools")


@each_row
async def test_a_tool_loop_writes_a_file(row: Row) -> None:
    plot = Thinking("write_file")
    async with hall(plot) as opened:
        file = opened.folder / "written.txt"
        plot.arguments = {"file_path": str(file), "content": WORDS}
        ran = await gemini(opened, f"{row.name}:{MODEL}", "write the file")
        assert ran.code == 0, ran
        assert ran.out.strip().endswith(DONE), ran
        assert file.read_text() == WORDS
        assert {(line["status"], line["end"]) for line in opened.calls} == {(200, "complete")}
        asking, telling = opened.loop
    assert asking.row is telling.row is row
    assert row.streams(asking.request.path, asking.request.body)
    assert asking.ask.thinks == (row.name in ("messages", "gemini"))  # others have no such mode
    (call,) = telling.ask.calls
    assert (call.id, call.name) == (CALL_ID, "write_file")
    ((id, result),) = telling.ask.results
    assert id == CALL_ID
    assert "written.txt" in result
    turns = row.turns(telling.request.body)
    assert turns[: len(row.turns(asking.request.body))] == row.turns(asking.request.body)
    assert KEY.encode() not in asking.request.body


async def test_what_claude_thought_goes_back_to_claude() -> None:
    """The client drops the thoughts that it showed; the call has carried them."""
    plot = Thinking("write_file")
    async with hall(plot) as opened:
        plot.arguments = {"file_path": str(opened.folder / "a.txt"), "content": WORDS}
        await gemini(opened, f"messages:{MODEL}", "write the file")
        _, telling = opened.loop
    messages: list[dict[str, Any]] = NAMED["messages"].turns(telling.request.body)
    (answer,) = (turn for turn in messages if turn["role"] == "assistant")
    assert [part["type"] for part in answer["content"]] == ["thinking", "text", "tool_use"]
    assert answer["content"][0]["thinking"] == "Shall I?"


async def test_a_refused_call_is_told_once() -> None:
    fault = {"error": {"message": "bad words", "type": "invalid_request_error", "code": None}}
    plot = Plot(before=[lambda _: [Json(fault, 400)]] * 8)
    async with hall(plot) as opened:
        ran = await gemini(opened, f"chat:{MODEL}", "hello")
        assert ran.code != 0
        assert "bad words" in ran.err + ran.out
        assert len(opened.turns) == 1
