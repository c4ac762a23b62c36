"""Codex through the gateway, to upstreams of every dialect."""

import msgspec
import pytest

from tests.clients.codex import codex
from tests.clients.hall import CALL_ID, DONE, MODEL, CliGateway, Plot, Ran, hall
from tests.fakes.steps import SSE, Json, Script
from tests.pairs.rows import ROWS
from tests.pairs.said import ModelAnswer, Row

pytestmark = pytest.mark.clients
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
WORDS = "hello from the model"
SHELL = Plot("exec_command", {"cmd": f"printf '{WORDS}' > written.txt"})
PATCH = f"*** Begin Patch\n*** Add File: written.txt\n+{WORDS}\n*** End Patch\n"
SCRIPT = f"await tools.exec_command({{cmd: \"printf '{WORDS}' > written.txt\"}}); text('ran');"
LOST = {
    "web_search:unsupported_by_target",
    "verbosity:unsupported_by_target",
    "reasoning.context:unsupported_by_target",
    # by Gemini
    "parallel_tool_calls:unsupported_by_target",
    "tools.N.parameters:keywords_moved_to_description",
    "web_search:not_with_functions",
}
"""What other dialects, or servers without a search of their own, cannot be told."""
OVERFLOW = {
    "message": "This model's maximum context length is 1000 tokens. However, your messages "
    "resulted in 2000 tokens.",
    "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
}  # fmt: skip


def plot() -> Plot:
    """The model runs a command that writes a file."""
    return Plot(SHELL.tool, SHELL.arguments)


def said(ran: Ran) -> list[str]:
    """What Codex shows as the model's words."""
    events = [msgspec.json.decode(line) for line in ran.out.splitlines() if line[:1] == "{"]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item["text"] for item in items if item["type"] == "agent_message"]


def served(opened: CliGateway) -> None:
    """Every call was answered whole, and only what is known to get lost was lost."""
    ends = {(line["status"], line["end"], line["error"]) for line in opened.calls}
    assert ends == {(200, "complete", "")}
    assert opened.warnings <= LOST


@each_row
async def test_a_tool_loop_writes_a_file(row: Row) -> None:
    async with hall(plot()) as opened:
        ran = await codex(opened, f"{row.name}:{MODEL}", "write the file")
        assert ran.code == 0, ran
        assert said(ran)[-1] == DONE
        assert (opened.folder / "written.txt").read_text() == WORDS
        served(opened)
        asking, telling = opened.loop
    assert {asking.row.name, telling.row.name} == {row.name}
    assert row.streams(asking.request.path, asking.request.body)
    (call,) = telling.ask.calls
    assert (call.id, call.name) == (CALL_ID, "exec_command")
    ((id, result),) = telling.ask.results
    assert id == call.id
    assert "exited with code 0" in result
    asked, told = (row.turns(turn.request.body) for turn in (asking, telling))
    assert told[: len(asked)] == asked
    if row.name == "responses":
        for turn in opened.loop:
            named = b'"model":"%b"' % MODEL.encode()
            mine = turn.request.body.replace(named, b'"model":"responses:%b"' % MODEL.encode())
            assert opened.tap.saw(mine), "not the client's own bytes"


CROSSED = [row for row in ROWS if row.name != "responses"]
KNOWN = [("gpt-5.5", "apply_patch", PATCH), ("gpt-6.1-sol", "functions__exec", SCRIPT)]


@pytest.mark.parametrize("row", CROSSED, ids=lambda row: row.name)
@pytest.mark.parametrize(("model", "tool", "text"), KNOWN, ids=[known[0] for known in KNOWN])
async def test_a_free_form_tool_of_a_model_it_knows_writes_a_file(
    row: Row, model: str, tool: str, text: str
) -> None:
    alias = f'[aliases]\n"{model}" = "{row.name}:{MODEL}"\n'
    async with hall(Plot(tool, {"input": text}), alias) as opened:
        ran = await codex(opened, model, "write the file")
        assert ran.code == 0, ran
        assert said(ran)[-1] == DONE
        assert (opened.folder / "written.txt").read_text().strip() == WORDS
        served(opened)
        _, telling = opened.loop
    (call,) = telling.ask.calls
    assert (call.id, call.name) == (CALL_ID, tool)
    assert msgspec.json.decode(call.arguments) == {"input": text}


@each_row
async def test_a_stream_that_is_cut_is_asked_for_again(row: Row) -> None:
    def cut(row: Row) -> Script:
        return [SSE(row.stream(ModelAnswer(text="half of an answer"))[:-3])]

    told = plot()
    told.before.append(cut)
    async with hall(told) as opened:
        ran = await codex(opened, f"{row.name}:{MODEL}", "write the file")
        assert ran.code == 0, ran
        assert said(ran)[-1] == DONE
        assert len(opened.turns) == 3
        assert (opened.folder / "written.txt").read_text() == WORDS


@each_row
async def test_a_rate_limit_is_told(row: Row) -> None:
    def limited(row: Row) -> Script:
        return [Json(row.fault(), 429, [("retry-after", "1")])]

    told = plot()
    told.before += [limited] * 50
    async with hall(told) as opened:
        ran = await codex(opened, f"{row.name}:{MODEL}", "write the file")
        assert ran.code != 0
        assert "Slow down" in ran.out or "429" in ran.out, ran


async def test_too_long_a_prompt_is_told_in_its_words() -> None:
    def long(_: Row) -> Script:
        return [Json({"error": OVERFLOW}, 400)]

    told = plot()
    told.before += [long] * 50
    async with hall(told) as opened:
        ran = await codex(opened, f"chat:{MODEL}", "write the file")
        assert ran.code != 0
        assert "context" in ran.out, ran
