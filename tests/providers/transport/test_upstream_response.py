"""How far a stream is read before its status is settled."""

import pytest

from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.errors import Cut
from gateway.reply import BytesSource
from providers.transport.upstream_response import read_first_error
from tests.fakes import responses
from tests.faults.wires import delta, fault_event, opening, stream

BEGINNING = opening("responses")[:2]
SLOW_DOWN = fault_event("responses")


class Chunks(BytesSource):
    """A source of chunks, which knows how many were asked for."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = iter(chunks)
        self.read_so_far = 0

    async def read(self) -> bytes:
        self.read_so_far += 1
        return next(self.chunks, b"")


async def judged(
    sent: list[bytes], dialect: Dialect = RESPONSES
) -> tuple[int | None, bool, int, bytes]:
    """The error's status, whether it came after a beginning, the reads made, and the bytes read."""
    source, chunks = Chunks(sent), list[bytes]()
    error, begun = await read_first_error(source, dialect, chunks)
    return error.status if error else None, begun, source.read_so_far, b"".join(chunks)


async def test_events_that_only_begin_an_answer_are_waited_past() -> None:
    sent = [*BEGINNING, SLOW_DOWN, b"never read"]
    assert await judged(sent) == (429, True, 3, b"".join(sent[:3]))


async def test_all_in_one_chunk_as_well() -> None:
    sent = b"".join([*BEGINNING, SLOW_DOWN])
    assert await judged([sent]) == (429, True, 1, sent)


async def test_an_error_as_the_first_event_came_after_no_beginning() -> None:
    assert (await judged([SLOW_DOWN]))[:3] == (429, False, 1)


async def test_a_stream_that_says_something_is_not_held_back() -> None:
    sent = stream("responses", "a", "b")
    assert await judged(sent) == (None, True, 3, b"".join(sent[:3]))


async def test_what_a_beginning_lacks_does_not_hurry_it() -> None:
    """Some servers leave out the error that a response does not have."""
    bare = [chunk.replace(b'"error":null,', b"") for chunk in BEGINNING]
    assert (await judged([*bare, SLOW_DOWN]))[:3] == (429, True, 3)


async def test_no_more_than_a_few_are_waited_past() -> None:
    status, _, reads, _ = await judged([BEGINNING[1]] * 9 + [SLOW_DOWN])
    assert (status, reads) == (None, 4)


async def test_an_answer_in_the_background_is_told_at_once() -> None:
    started = responses.make_response(status="queued", background=True)
    created = responses.ResponsesScript().add_event("response.created", response=started).frames
    assert (await judged([*created, SLOW_DOWN]))[:3] == (None, False, 1)


@pytest.mark.parametrize("chunk", [delta("chat", "x"), delta("chat", "x") + SLOW_DOWN[:9]])
async def test_a_chat_stream_is_read_one_chunk_far(chunk: bytes) -> None:
    assert await judged([chunk, b"never read"], CHAT) == (None, False, 1, chunk)


@pytest.mark.parametrize("sent", [[], BEGINNING])
async def test_a_stream_that_ends_before_its_answer_is_cut(sent: list[bytes]) -> None:
    error, _ = await read_first_error(Chunks(sent), RESPONSES, [])
    assert isinstance(error, Cut)
