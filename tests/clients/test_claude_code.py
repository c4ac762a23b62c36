"""Claude Code through the gateway, to upstreams of every dialect."""

from pathlib import Path

import pytest

from tests.clients.claude_code import TALKING, claude
from tests.clients.hall import DONE, KEY, MODEL, CliGateway, Plot, hall
from tests.fakes.steps import SSE, Json, Script
from tests.pairs.rows import ROWS
from tests.pairs.said import ModelAnswer, Row

pytestmark = pytest.mark.clients
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
WORDS = "hello from the model"
OVERFLOW = {
    "message": "This model's maximum context length is 1000 tokens. However, your messages "
    "resulted in 2000 tokens.",
    "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
}  # fmt: skip
LOST = {
    "context_management:unsupported_by_target",
    "thinking:unsupported_by_target",
    # by Gemini
    "cache_control:target_takes_no_marks",
    "tools.N.parameters:keywords_moved_to_description",
    "user:target_takes_no_user",
}
"""What other dialects cannot be told of Claude Code's usual requests."""


def plot(file: Path, call_id: str = "") -> Plot:
    """The model writes that file."""
    told = Plot("Write", {"file_path": str(file), "content": WORDS})
    if call_id:
        told.call_id = call_id
    return told


def served(hall: CliGateway) -> None:
    """Every call was answered whole, and only what is known to get lost was lost."""
    assert {(line["status"], line["end"], line["error"]) for line in hall.calls} == {
        (200, "complete", "")
    }
    assert hall.warnings <= LOST


@each_row
@pytest.mark.parametrize("call_id", ["call_1a2b3c4d5e", "functions.Write:0"])
async def test_a_tool_loop_writes_a_file(row: Row, call_id: str, tmp_path: Path) -> None:
    file = tmp_path / "written.txt"
    async with hall(plot(file, call_id)) as opened:
        ran = await claude(opened, f"{row.name}:{MODEL}", "write the file")
        assert (ran.code, ran.out.strip()) == (0, DONE), ran
        assert file.read_text() == WORDS
        served(opened)
        asking, telling = opened.loop
    assert {asking.row.name, telling.row.name} == {row.name}
    assert row.streams(asking.request.path, asking.request.body)
    assert len(asking.ask.tools) == len(telling.ask.tools) > 10
    (call,) = telling.ask.calls
    assert (call.id, call.name) == (call_id, "Write")
    ((id, result),) = telling.ask.results
    assert id == call.id
    assert "created successfully" in result
    if row.name == "messages":
        passed(opened)
    else:
        converted(opened)


def passed(opened: CliGateway) -> None:
    """A Messages upstream gets the client's own bytes but for the model, its version and betas."""
    for turn in opened.loop:
        named = b'"model":"%b"' % MODEL.encode()
        assert turn.request.body.count(named) == 1
        asked = turn.request.body.replace(named, b'"model":"messages:%b"' % MODEL.encode())
        assert opened.tap.saw(asked)
        billing, *system = turn.body["system"]
        assert billing["text"].startswith("x-anthropic-billing-header:")
        assert any(block.get("cache_control") for block in system)
        for name in (b"anthropic-version", b"anthropic-beta", b"x-claude-code-session-id"):
            value = turn.request.get_header(name)
            assert value, name
            assert opened.tap.saw(b": " + value + b"\r\n")
        assert turn.request.get_header(b"authorization") == b"Bearer sk-upstream-of-messages"
        assert KEY.encode() not in turn.request.body


def converted(opened: CliGateway) -> None:
    """Others get nothing that only Anthropic's API knows: betas end with their members."""
    for turn in opened.loop:
        assert b"x-anthropic-billing-header" not in turn.request.body
        assert b"context_management" not in turn.request.body
        names = {name for name, _ in turn.request.headers}
        assert not {name for name in names if name.startswith((b"anthropic-", b"x-claude-code-"))}
    asked, told = (turn.row.turns(turn.request.body) for turn in opened.loop)
    assert told[: len(asked)] == asked, "a changed prefix is paid for again"


async def test_its_probes_are_answered(tmp_path: Path) -> None:
    async with hall(plot(tmp_path / "f")) as opened:
        await claude(opened, f"messages:{MODEL}", "write the file")
        assert [line for line in opened.tap.requests if line.startswith("HEAD ")]
        assert all(line.startswith("HTTP/1.1 200 ") for line in opened.tap.statuses)


async def test_it_finds_the_models_of_the_gateway(tmp_path: Path) -> None:
    async with hall(plot(tmp_path / "f")) as opened:
        looking = {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
        model = f"messages:{MODEL}"
        ran = await claude(opened, model, "write the file", quiet=TALKING, **looking)
        assert (ran.code, ran.out.strip()) == (0, DONE), ran
        assert "GET /v1/models?limit=1000 HTTP/1.1" in opened.tap.requests
        assert all(line.startswith("HTTP/1.1 200 ") for line in opened.tap.statuses)
        shown = [bytes(told) for told in opened.tap.told if b'"display_name"' in told]
        assert shown
        assert all(f'"provider":"{row.name}"'.encode() in shown[0] for row in ROWS)


async def test_tokens_are_counted(tmp_path: Path) -> None:
    async with hall(plot(tmp_path / "f")) as opened:
        ran = await claude(opened, f"messages:{MODEL}", "/context")
        assert ran.code == 0, ran
        assert "Context Usage" in ran.out


@each_row
async def test_a_stream_that_is_cut_is_asked_for_again(row: Row, tmp_path: Path) -> None:
    def cut(row: Row) -> Script:
        return [SSE(row.stream(ModelAnswer(text="half of an answer"))[:-3])]

    told = plot(tmp_path / "f")
    told.before.append(cut)
    async with hall(told) as opened:
        ran = await claude(opened, f"{row.name}:{MODEL}", "write the file")
        assert (ran.code, ran.out.strip()) == (0, DONE), ran
        assert len(opened.turns) == 3
        assert (tmp_path / "f").read_text() == WORDS


@each_row
async def test_a_rate_limit_is_waited_for(row: Row, tmp_path: Path) -> None:
    def limited(row: Row) -> Script:
        return [Json(row.fault(), 429, [("retry-after", "1")])]

    told = plot(tmp_path / "f")
    told.before.append(limited)
    async with hall(told) as opened:
        ran = await claude(opened, f"{row.name}:{MODEL}", "write the file")
        assert (ran.code, ran.out.strip()) == (0, DONE), ran
        first, second, *_ = opened.turns
        assert second.request.received_at - first.request.received_at >= 1


async def test_too_long_a_prompt_is_told_in_its_words(tmp_path: Path) -> None:
    def long(_: Row) -> Script:
        return [Json({"error": OVERFLOW}, 400)]

    told = plot(tmp_path / "f")
    told.before += [long] * 20
    async with hall(told) as opened:
        ran = await claude(opened, f"chat:{MODEL}", "write the file")
        assert "Prompt is too long" in ran.out + ran.err, ran
