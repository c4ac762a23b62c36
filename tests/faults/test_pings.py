"""Signs of life while the upstream is silent: between events, never within one."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.dialects.responses.writer import PING as RESPONSES_PING
from tests.fakes.client import RawClient, wait_until
from tests.fakes.steps import SSE, Chunk, Close, Head, Json, Pause, Script, Stall
from tests.faults.scene import FaultGateway, scene
from tests.faults.wires import (
    BOTH,
    PATHS,
    PINGS,
    TEXT,
    Dialect,
    delta,
    encode,
    fault,
    opening,
    received,
    request,
    stream,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PING = 0.1
SILENCE = 0.45
HEAD = Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
LANES = [(client, upstream) for client in BOTH for upstream in BOTH]
lanes = pytest.mark.parametrize("lane", LANES, ids=lambda lane: f"{lane[0]}-to-{lane[1]}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultGateway]:
    async with scene(tmp_path_factory.mktemp("pings"), f"[server]\nping = {PING}\n") as made:
        yield made


def silent(frames: list[bytes], at: int) -> Script:
    """A stream that falls silent before one of its bytes."""
    data = b"".join(frames)
    return [HEAD, Chunk(data[:at]), Pause(SILENCE), Chunk(data[at:]), Chunk()]


@lanes
@pytest.mark.parametrize(
    "before", [[Pause(SILENCE), HEAD], [HEAD, Pause(SILENCE)]], ids=["head", "first event"]
)
async def test_silence_before_the_first_event_opens_the_stream_with_pings(
    running: FaultGateway, lane: tuple[Dialect, Dialect], before: list[Pause | Head]
) -> None:
    client, upstream = lane
    script = [*before, *map(Chunk, stream(upstream)), Chunk()]
    answer = await running.ask(script, client, upstream, stream=True)
    ping = PINGS[client]
    assert (answer.status, answer.text, answer.ended) == (200, TEXT, True)
    quiet = await running.ask(SSE(stream(upstream)), client, upstream, stream=True)
    own = quiet.body.count(ping)  # some writers open with one
    pings = answer.body.count(ping) - own
    assert pings >= 2
    assert answer.body.startswith(ping * pings)


@lanes
@pytest.mark.parametrize("place", ["between", "within", "in a character", "before the blank line"])
async def test_silence_in_a_stream_is_filled_between_its_events(
    running: FaultGateway, lane: tuple[Dialect, Dialect], place: str
) -> None:
    client, upstream = lane
    frames = stream(upstream)
    begun = len(b"".join(opening(upstream)))
    at = {
        "between": begun,
        "within": begun + 12,
        "in a character": b"".join(frames).index("世".encode()) + 1,
        "before the blank line": begun - 1,
    }[place]
    quiet = await running.ask(SSE(frames), client, upstream, stream=True)
    answer = await running.ask(silent(frames, at), client, upstream, stream=True)
    ping = PINGS[client]
    own = quiet.body.count(ping)  # some writers open with one
    assert answer.body.count(ping) - own >= 2
    assert (answer.text, answer.ended, answer.errors) == (TEXT, True, [])
    if client == upstream:
        assert answer.body.replace(ping, b"") == b"".join(frames)
    for part in answer.body.split(ping)[:-1]:
        assert part == b"" or part.endswith(b"\n\n")


@pytest.mark.parametrize(("client", "ping"), [("responses", RESPONSES_PING), *PINGS.items()])
async def test_silence_after_a_beginning_that_says_nothing_is_filled(
    running: FaultGateway, client: Dialect, ping: bytes
) -> None:
    frames = stream("responses")
    script = silent(frames, len(b"".join(frames[:2])))
    answer = await running.ask(script, client, "responses", stream=True)
    assert answer.body.startswith(ping * 2)
    assert (answer.status, answer.text, answer.ended, answer.errors) == (200, TEXT, True, [])
    if client == "responses":
        assert answer.body.replace(ping, b"") == b"".join(frames)


@pytest.mark.parametrize("dialect", BOTH)
async def test_silence_within_a_huge_event_waits_for_its_end(
    running: FaultGateway, dialect: Dialect
) -> None:
    frames = stream(dialect, "x" * 3_000_000)
    answer = await running.ask(silent(frames, 2_500_000), dialect, dialect, stream=True)
    assert answer.body.replace(PINGS[dialect], b"") == b"".join(frames)
    for part in answer.body.split(PINGS[dialect])[:-1]:
        assert part == b"" or part.endswith(b"\n\n")


@lanes
async def test_a_refusal_after_pings_is_told_in_band(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client, upstream = lane
    script = [Pause(SILENCE), Json(fault(upstream), 429)]
    answer = await running.ask(script, client, upstream, stream=True)
    assert (answer.told, answer.ended) == ((200, "rate_limit_error"), False)
    assert answer.body.startswith(PINGS[client])


@lanes
async def test_a_whole_answer_after_pings_comes_as_a_stream(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client, upstream = lane
    script = [Pause(SILENCE), Json(whole(upstream))]
    answer = await running.ask(script, client, upstream, stream=True)
    assert (answer.status, answer.text, answer.ended) == (200, TEXT, True)


@lanes
async def test_a_hang_up_after_pings_is_told_in_band(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client, upstream = lane
    script = [
        HEAD,
        *map(Chunk, [*opening(upstream), delta(upstream, "a")]),
        Pause(SILENCE),
        Close(),
    ]
    answer = await running.ask(script, client, upstream, stream=True)
    assert (answer.status, answer.text, answer.ended, len(answer.errors)) == (200, "a", False, 1)


@lanes
async def test_a_call_without_a_stream_gets_no_ping(
    running: FaultGateway, lane: tuple[Dialect, Dialect]
) -> None:
    client, upstream = lane
    answer = await running.ask([Pause(SILENCE), Json(whole(upstream))], client, upstream)
    assert (answer.status, answer.text) == (200, TEXT)


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_busy_stream_gets_no_ping(running: FaultGateway, dialect: Dialect) -> None:
    frames = stream(dialect, *"abcdefghij")
    answer = await running.ask(SSE(frames, seconds=PING / 4), dialect, dialect, stream=True)
    assert answer.body == b"".join(frames)


async def test_a_client_that_leaves_among_pings_ends_its_call(running: FaultGateway) -> None:
    model = running.play(Stall())
    async with RawClient(running.gateway.port) as client:
        await client.post(PATHS["chat"], request("chat", f"chat:{model}", stream=True))
        await client.read_until(PINGS["chat"])
        number = running.asked(model)[0].connection
    closed = running.upstream.closed_connections
    assert await wait_until(lambda: any(end.connection == number for end in closed)) < 0.1


async def test_two_calls_on_one_connection_are_both_pinged(running: FaultGateway) -> None:
    model = running.play(silent(stream("messages"), 20))
    async with RawClient(running.gateway.port) as client:
        for _ in range(2):
            body = request("messages", f"messages:{model}", stream=True)
            await client.post(PATHS["messages"], body)
            answer = await received(client, "messages")
            assert (answer.text, answer.ended) == (TEXT, True)
            assert answer.body.count(PINGS["messages"]) >= 2
            assert encode({"type": "ping"}) in answer.body
