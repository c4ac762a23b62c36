"""Whole exchanges with a Gemini upstream, to the byte: what it is asked, and what clients get."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.capability.table import capability
from gateway.dialect import Conversion, Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.neutral.fold import build_message
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import split_object
from gateway.wire.sse import Splitter

FILES = Path(__file__).parent / "gemini"
MODEL = "gemini-3-pro-preview"
CLIENTS: dict[str, Dialect] = {"chat": CHAT, "messages": MESSAGES}
each_client = pytest.mark.parametrize("client", CLIENTS)


def golden(name: str) -> bytes:
    """A golden file's bytes."""
    return (FILES / name).read_bytes()


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("writer", "message_out"):
        monkeypatch.setattr(f"gateway.dialects.chat.{module}.unix_time", lambda: 1700000000)


def way(client: str) -> Conversion:
    """The conversion of the client's golden request."""
    notes = LossReport()
    prompt = CLIENTS[client].read_prompt(split_object(golden(f"{client}.request.json")), notes)
    found = capability("gemini", MODEL)
    made = Conversion(prompt, "gemini", MODEL, f"gemini:{MODEL}", found, notes, Seal(b"golden"))
    GEMINI.write_prompt(made)  # it settles the names of tools
    return made


def shown(value: Any) -> bytes:
    """JSON that reads well in a review."""
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


@each_client
def test_what_the_upstream_is_asked(client: str) -> None:
    conversion = way(client)
    conversion.notes.entries.clear()
    asked = shown(GEMINI.write_prompt(conversion) | {"warnings": conversion.notes.entries})
    assert asked == golden(f"{client}.asked.json")


def streamed(client: str, chunks: list[bytes]) -> bytes:
    """What that client gets of the golden stream in these chunks."""
    conversion = way(client)
    reader, writer = GEMINI.reader(conversion), CLIENTS[client].writer(conversion)
    splitter = Splitter()
    events = [event for c in chunks for f in splitter.feed(c) for event in reader.read(f)]
    events += [event for frame in splitter.finish() for event in reader.read(frame)]
    return b"".join(writer.write(event) for event in (*events, *reader.finish()))


@each_client
def test_what_a_client_gets_of_a_stream(client: str) -> None:
    told = golden("stream.sse")
    expected = golden(f"{client}.stream.sse")
    assert streamed(client, [told]) == expected
    assert streamed(client, [told[at : at + 1] for at in range(len(told))]) == expected


@each_client
def test_what_a_client_gets_of_a_whole_answer(client: str) -> None:
    conversion = way(client)
    message = GEMINI.read_message(golden("answer.json"), conversion)
    written = msgspec.json.decode(CLIENTS[client].write_message(message, conversion))
    assert shown(written) == golden(f"{client}.answer.json")


@each_client
def test_a_stream_and_a_whole_answer_say_the_same(client: str) -> None:
    conversion = way(client)
    reader = GEMINI.reader(conversion)
    frames = Splitter().feed(golden("stream.sse"))
    events = [event for frame in frames for event in reader.read(frame)]
    whole = build_message([*events, *reader.finish()])
    assert whole == GEMINI.read_message(golden("answer.json"), way(client))
