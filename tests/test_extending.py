"""The plugins that docs/extending.md shows, run as they stand there."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway import (
    Call,
    Forbidden,
    GatewayError,
    InvalidRequest,
    Middleware,
    Reply,
    Step,
    Stream,
    TextFilter,
)
from gateway.dialect import Dialect as Format
from gateway.dialects.chat import CHAT
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.plugin import chain, load
from middleware.convert import Convert
from tests.fakes import calls
from tests.faults.engines import Chunks
from tests.faults.wires import closing, delta, opening, whole

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
FORMATS: dict[str, Format] = {
    "chat": CHAT, "messages": MESSAGES, "responses": RESPONSES, "gemini": GEMINI,
}  # fmt: skip
REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "PROMPT"}]},
    "messages": {"messages": [{"role": "user", "content": "PROMPT"}], "max_tokens": 99},
    "responses": {"input": "PROMPT"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "PROMPT"}]}]},
}
WORD = "swordfish"


@pytest.fixture(autouse=True)
def _page_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The Python blocks of the page, each in the file that its first line names."""
    package = tmp_path / "acme"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if named := re.match(r"# acme/(\w+\.py)", block):
            (package / named[1]).write_text(block)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        del sys.modules[name]


def link(path: str, **options: Any) -> Middleware:
    made = load(path)(**options)
    assert isinstance(made, Middleware)
    return made


def request(name: str, prompt: str, *, stream: bool) -> Call:
    """A client's request that says the prompt."""
    wire = msgspec.json.encode(REQUESTS[name]).replace(b"PROMPT", prompt.encode())
    fields = msgspec.json.decode(wire)
    if name != "gemini":  # whose path tells it
        fields["stream"] = stream
    asked = calls.make_call(fields, dialect=FORMATS[name], targets=(calls.make_target(),))
    return replace(asked, stream=stream)


class Upstream:
    """An upstream of one dialect that says a text: whole, or in the given pieces."""

    def __init__(self, name: str, *pieces: str, cut: int = 0) -> None:
        self.name = name
        self.pieces = pieces
        self.cut = cut
        """Bytes in each chunk; 0: an event in each."""

    async def __call__(self, call: Call) -> Reply:
        speaks = FORMATS[self.name]
        if not call.stream:
            return Reply(200, speaks, whole(self.name, "".join(self.pieces)))  # type: ignore[arg-type]
        said = [delta(self.name, piece) for piece in self.pieces]  # type: ignore[arg-type]
        events = [*opening(self.name), *said, *closing(self.name)]  # type: ignore[arg-type]
        if self.cut:
            wire = b"".join(events)
            events = [wire[at : at + self.cut] for at in range(0, len(wire), self.cut)]
        return Reply(200, speaks, Stream(Chunks(*events)))


async def answer(links: list[Middleware], call: Call, upstream: Upstream) -> bytes:
    """The body that the client gets. Raises what ends a stream, after `sent` has what came."""
    for each in links:
        each.bind(calls.runtime())
    reply = await chain(links, upstream)(call)
    if isinstance(reply.body, bytes):
        return reply.body
    sent: list[bytes] = []
    try:
        while chunk := await reply.body.read():
            sent.append(chunk)
    except GatewayError as error:
        error.args = (b"".join(sent),)
        raise
    finally:
        await reply.aclose()
    return b"".join(sent)


def guarded(name: str, upstream: str) -> list[Middleware]:
    """The guard as the page places it; nothing to convert where both speak one dialect."""
    guard = link("acme.guard:Guard", word=WORD)
    return [guard] if name == upstream else [guard, Convert()]


LANES = [(name, upstream) for name in FORMATS for upstream in FORMATS if name == upstream]
LANES += [(name, "chat") for name in FORMATS if name != "chat"] + [("chat", "messages")]


@pytest.mark.parametrize(("name", "upstream"), LANES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_guard_refuses_prompts_and_asks_nobody(
    name: str, upstream: str, stream: bool
) -> None:
    async def nobody(call: Call) -> Reply:
        raise AssertionError

    call = request(name, f"the {WORD} again", stream=stream)
    with pytest.raises(InvalidRequest):
        await chain(guarded(name, upstream), nobody)(call)


@pytest.mark.parametrize(("name", "upstream"), LANES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_guard_lets_other_answers_pass(name: str, upstream: str, stream: bool) -> None:
    pieces = ("a sword", "-fish, a swor", "d, and so", " on: swordfis")
    call = request(name, "hi", stream=stream)
    body = await answer(guarded(name, upstream), call, Upstream(upstream, *pieces))
    plain = [] if name == upstream else [Convert()]
    unguarded = await answer(
        list(plain), request(name, "hi", stream=stream), Upstream(upstream, *pieces)
    )
    assert _steady(body) == _steady(unguarded)


def _steady(body: bytes) -> bytes:
    """The body without what is made anew for each answer: ids and times."""
    return re.sub(rb'"(id|item_id|created|created_at|completed_at)":("[^"]*"|\d+)', b"", body)


@pytest.mark.parametrize(("name", "upstream"), LANES)
@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("pieces", [("x ", WORD, " y"), ("x sw", "ord", "fis", "h y"), tuple(WORD)])
async def test_the_guard_ends_a_stream_before_the_word_is_told(
    name: str, upstream: str, cut: int, pieces: tuple[str, ...]
) -> None:
    call = request(name, "hi", stream=True)
    with pytest.raises(Forbidden) as caught:
        await answer(guarded(name, upstream), call, Upstream(upstream, *pieces, cut=cut))
    assert b"h y" not in caught.value.args[0]
    assert b"fish" not in caught.value.args[0]


@pytest.mark.parametrize(("name", "upstream"), LANES)
async def test_the_guard_refuses_whole_answers(name: str, upstream: str) -> None:
    call = request(name, "hi", stream=False)
    with pytest.raises(Forbidden):
        await answer(guarded(name, upstream), call, Upstream(upstream, "a swor", "dfish"))


class Replace(TextFilter):
    """Writes another word in place of one."""

    window = len(WORD) - 1

    def filter(self, text: str) -> str:
        return text.replace(WORD, "tuna")


class Replacing(Middleware):
    async def __call__(self, call: Call, next: Any) -> Reply:
        reply: Reply = await next(call)
        return reply.filter_text(Replace())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("cut", [0, 1])
async def test_a_filter_may_change_the_text(name: str, cut: int) -> None:
    pieces = ("one swo", "rdfish, two sword", "fish", "swordfish", " end")
    call = request(name, "hi", stream=True)
    body = await answer([Replacing()], call, Upstream(name, *pieces, cut=cut))
    said = re.findall(rb'"(?:content|text|delta)":"([^"]*)"', body)
    assert b"".join(said) == b"one tuna, two tunatuna end"
    assert b"fish" not in body
    whole_body = await answer(
        [Replacing()], request(name, "hi", stream=False), Upstream(name, *pieces)
    )
    assert b"one tuna, two tunatuna end" in whole_body


async def test_completions_are_filtered_and_embeddings_are_read() -> None:
    body = b'{"choices":[{"index":0,"text":"a swordfish"}]}'
    filtered = Reply(200, COMPLETIONS, body).filter_text(Replace())
    assert filtered.body == b'{"choices":[{"index":0,"text":"a tuna"}]}'
    asked = calls.make_call({"model": "m", "input": ["one", "two"]}, dialect=EMBEDDINGS)
    assert asked.texts() == ["one", "two"]


async def test_errors_of_an_upstream_are_not_filtered() -> None:
    error = InvalidRequest(WORD)
    reply = Reply(400, CHAT, WORD.encode(), error=error)
    assert reply.filter_text(Replace()) is reply


@pytest.mark.parametrize("cut", [None, True, False])
async def test_a_step_that_ends_a_stream_needs_no_more_than_done(cut: bool | None) -> None:
    class First(Step):
        """Sends the first chunk and ends."""

        def feed(self, chunk: bytes) -> bytes:
            self.done = True
            if cut is not None:
                self.cut = cut
            return chunk

    source = Chunks(b"one", b"two")
    stream = Stream(source).through(First())
    assert [await stream.read(), await stream.read()] == [b"one", b""]
    await stream.aclose()


async def test_the_step_of_the_page_changes_chunks() -> None:
    call = request("chat", "hi", stream=True)
    body = await answer([link("acme.shout:Shout")], call, Upstream("chat", "hello you"))
    assert b'"content":"HELLO you"' in body
    assert body.endswith(b"data: [DONE]\n\n")
