"""What holds of every dialect and of every pair of them, whatever is said."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.capability.table import capability
from gateway.dialect import Conversion, Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.neutral.events import (
    Ending,
    Message,
    Part,
    Prompt,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)
from gateway.neutral.fold import build_message, message_events
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.sse import Splitter
from tests.pairs.rows import NAMED

MODELS: dict[str, Capability] = {
    "chat": capability("openai", "gpt-4o"),
    "messages": capability("anthropic", "claude-opus-4-8"),
    "responses": capability("openai", "gpt-5"),
    "gemini": capability("gemini", "gemini-3-pro"),
}
DIALECTS: tuple[Dialect, ...] = (CHAT, MESSAGES, RESPONSES, GEMINI)
PAIRS = [
    pytest.param(ours, theirs, id=f"{ours.name}-{theirs.name}")
    for ours, theirs in itertools.product(DIALECTS, DIALECTS)
]
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
each_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS)
BARE = Prompt("m", [], reasoning=Reasoning(display="summarized"), include_usage=True)
"""A request that asks for all that an answer can tell."""
SEAL = Seal(b"a key of the tests")
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
NAMES = ("f", "foo/bar", "foo_bar", "foo_bar_2", "mcp__" + "x" * 70, "1st")
IDS = ("call_{}", "functions.f:{}", "toolu_{}", "a b/{}", "x" * 60 + "{}")

WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=9
)
ARGUMENTS = st.dictionaries(WORDS, st.none() | st.integers(-9, 9) | WORDS, max_size=3).map(
    lambda value: msgspec.json.encode(value).decode()
)


def conversion(dialect: Dialect, prompt: Prompt) -> Conversion:
    """A conversion to a model of that dialect."""
    return Conversion(
        prompt=prompt, provider="p", model="m", alias="m", capability=MODELS[dialect.name],
        notes=LossReport(), seal=SEAL,
    )  # fmt: skip


# --- answers --------------------------------------------------------------------------------------


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Whole answers of what every dialect can say."""
    parts: list[Part] = []
    if draw(st.booleans()):
        parts.append(Thinking(draw(WORDS)))
    if draw(st.booleans()):
        parts.append(Text(draw(WORDS)))
    calls = draw(st.lists(st.tuples(st.sampled_from("fgh"), ARGUMENTS), max_size=3))
    parts += [ToolCall(f"call_{at}", name, given) for at, (name, given) in enumerate(calls)]
    stop: Any = "tool_use" if calls else draw(st.sampled_from(["end_turn", "max_tokens"]))
    usage = Usage(*draw(st.tuples(*[st.integers(0, 999)] * 3)))
    return Message("x1", "m", parts, Ending(stop, usage=usage))


def told(message: Message | None) -> Any:
    """What an answer says, without the marks that each dialect adds."""
    assert message is not None
    parts: list[object] = []
    for part in message.parts:
        match part:
            case Thinking() if part.text:
                parts.append(("thinking", part.text))
            case Text():
                parts.append(("text", part.text))
            case ToolCall():
                given = msgspec.json.decode(part.arguments or "{}")
                parts.append((part.id, part.name, given))
    usage = message.ending.usage or Usage()
    return parts, message.ending.stop, (usage.input, usage.output, usage.cache_read)


@each_dialect
@settings(max_examples=50, deadline=None)
@given(message=messages())
def test_what_is_written_whole_is_read(dialect: Dialect, message: Message) -> None:
    way = conversion(dialect, BARE)
    assert told(dialect.read_message(dialect.write_message(message, way), way)) == told(message)


@each_dialect
@settings(max_examples=50, deadline=None)
@given(message=messages())
def test_what_is_written_as_a_stream_is_read(dialect: Dialect, message: Message) -> None:
    way = conversion(dialect, BARE)
    writer, reader, splitter = dialect.writer(way), dialect.reader(way), Splitter()
    wire = b"".join(writer.write(event) for event in message_events(message))
    frames = [*splitter.feed(wire), *splitter.finish()]
    events = [event for frame in frames for event in reader.read(frame)]
    assert told(build_message([*events, *reader.finish()])) == told(message)


@each_pair
@settings(max_examples=20, deadline=None)
@given(message=messages())
def test_a_stream_says_what_the_whole_answer_says(
    ours: Dialect, theirs: Dialect, message: Message
) -> None:
    way = conversion(theirs, BARE)
    writer, reader, splitter = theirs.writer(way), theirs.reader(way), Splitter()
    wire = b"".join(writer.write(event) for event in message_events(message))
    events = [event for frame in splitter.feed(wire) for event in reader.read(frame)]
    mine, back, again = ours.writer(way), ours.reader(way), Splitter()
    recoded = b"".join(mine.write(event) for event in [*events, *reader.finish()])
    heard = [event for frame in again.feed(recoded) for event in back.read(frame)]
    assert told(build_message([*heard, *back.finish()])) == told(message)


# --- requests -------------------------------------------------------------------------------------


@st.composite
def talks(draw: st.DrawFn) -> list[Turn]:
    """An agent's conversation, from the first question to the last answer."""
    turns: list[Turn] = []
    numbers = itertools.count()
    for _ in range(draw(st.integers(1, 3))):
        turns.append(Turn("user", [Text(draw(WORDS))]))
        for names in draw(
            st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), max_size=2)
        ):
            calls: list[Part] = [
                ToolCall(draw(st.sampled_from(IDS)).format(next(numbers)), name, draw(ARGUMENTS))
                for name in names
            ]
            results: list[Part] = [
                ToolResult(call.id, [Text(draw(WORDS))])
                for call in calls
                if isinstance(call, ToolCall)
            ]
            turns += [Turn("assistant", calls), Turn("user", results)]
        turns.append(Turn("assistant", [Text(draw(WORDS))]))
    return turns


def prompt(turns: list[Turn]) -> Prompt:
    """A request with those turns and all tools."""
    tools = [Tool(name, "does it", SCHEMA) for name in NAMES]
    return Prompt("m", list(turns), [Text("Be brief.")], tools, max_tokens=100)


def asked(dialect: Dialect, turns: list[Turn]) -> Prompt:
    """The request as a client of that dialect writes it and the gateway reads it."""
    any_names = Capability(tool_name="^.*$", tool_name_length=128)
    way = Conversion(
        prompt=prompt(turns), provider="p", model="m", alias="m", capability=any_names,
        notes=LossReport(), seal=SEAL,
    )  # fmt: skip
    return dialect.read_prompt(dialect.write_prompt(way), LossReport())


def requests(turns: list[Turn]) -> list[list[Turn]]:
    """What a client sends, turn after turn."""
    return [turns[:at] for at, turn in enumerate(turns) if turn.role == "assistant"]


def shown(read: Prompt) -> Any:
    """What a request says, without what dialects write in different ways."""
    turns: list[object] = [text.text for text in read.system]
    ids: dict[str, int] = {}  # Messages spells some in its own way
    for part in (part for turn in read.turns for part in turn.parts):
        match part:
            case Text():
                turns.append(part.text)
            case ToolCall():
                id = ids.setdefault(part.id, len(ids))
                turns.append((id, part.name, msgspec.json.decode(part.arguments)))
            case ToolResult():
                words = "".join(one.text for one in part.parts if isinstance(one, Text))
                turns.append((ids[part.call_id], words))
    return turns, [tool.name for tool in read.tools], read.max_tokens


@each_dialect
@settings(max_examples=30, deadline=None)
@given(turns=talks())
def test_a_request_that_is_written_is_read(dialect: Dialect, turns: list[Turn]) -> None:
    for part in requests(turns):
        assert shown(asked(dialect, part)) == shown(prompt(part))


def sent(theirs: Dialect, read: Prompt) -> tuple[list[Any], Conversion, bytes]:
    """The turns that reach an upstream, the conversion they were written with, and the body."""
    way = conversion(theirs, read)
    body = msgspec.json.encode(theirs.write_prompt(way))
    return NAMED[theirs.name].turns(body), way, body


@each_pair
@settings(max_examples=20, deadline=None)
@given(turns=talks())
def test_what_was_sent_once_is_sent_again(
    ours: Dialect, theirs: Dialect, turns: list[Turn]
) -> None:
    before: list[Any] = []
    for part in requests(turns):
        after, _, _ = sent(theirs, asked(ours, part))
        assert after[: len(before)] == before
        before = after


@each_pair
@settings(max_examples=20, deadline=None)
@given(turns=talks())
def test_ids_and_names_are_one_to_one(ours: Dialect, theirs: Dialect, turns: list[Turn]) -> None:
    _, way, body = sent(theirs, asked(ours, turns[:-1]))
    ask = NAMED[theirs.name].asked(body)
    calls = [part for turn in turns[:-1] for part in turn.parts if isinstance(part, ToolCall)]
    assert [way.names.to_client(name) for name in ask.tools] == list(NAMES)
    assert len(set(ask.tools)) == len(NAMES)
    assert [way.names.to_client(call.name) for call in ask.calls] == [call.name for call in calls]
    assert [call.id for call in ask.calls] == [id for id, _ in ask.results]
    assert len({call.id for call in ask.calls}) == len(calls)
