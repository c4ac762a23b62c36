"""Responses that a client goes on from by their ids."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.call import Call, Caller, Target
from gateway.config.faults import ConfigError
from gateway.dialects.chat import CHAT
from gateway.dialects.responses import RESPONSES
from gateway.errors import InvalidRequest, Unavailable
from gateway.reply import Reply, Stream
from gateway.secret import Secret
from gateway.store.breaker import StoreDown
from gateway.store.memory import ENTRY_OVERHEAD
from middleware.history import History
from middleware.history.store import MemoryHistoryStore
from tests.fakes import calls
from tests.fakes.responses import make_message, make_response
from tests.faults.engines import Chunks

OTHER = Target("chat", "m", (CHAT,))
NATIVE = Target("open", "m", (CHAT, RESPONSES))
SECOND = Target("open2", "m", (RESPONSES,))


class Upstream:
    """The rest of the chain: answers with one message, under an id that counts up."""

    def __init__(self, relayed: str = "", **more: Any) -> None:
        self.calls: list[Call] = []
        self.relayed = relayed
        self.more = more

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        call.record.relayed = self.relayed
        number = len(self.calls)
        said = make_message(f"answer {number}", id=f"msg_{number}")
        whole = make_response(said, id=f"resp_{number}", **self.more)
        if not call.stream:
            return Reply(200, RESPONSES, msgspec.json.encode(whole))
        event = msgspec.json.encode({"type": "response.completed", "response": whole})
        begun = b'event: response.created\ndata: {"type":"response.created"}\n\n'
        return Reply(
            200,
            RESPONSES,
            Stream(Chunks(begun, b"event: response.completed\ndata: " + event + b"\n\n")),
        )

    @property
    def input(self) -> Any:
        """What the last call asked."""
        return msgspec.json.decode(self.calls[-1].fields["input"])


def history(**options: Any) -> History:
    link = History(**options)
    link.bind(calls.runtime())
    return link


async def ask(
    link: History, upstream: Upstream, *targets: Target, caller: str = "tests", **body: Any
) -> tuple[Call, bytes]:
    """One call through the link: the call as it came in, and the answer's bytes."""
    made = calls.make_call(
        {"input": "hi"} | body, dialect=RESPONSES, targets=targets or (OTHER,)
    ).with_caller(Caller(caller))
    reply = await link(made, upstream)
    if not isinstance(reply.body, Stream):
        return made, reply.body
    try:
        return made, b"".join([chunk async for chunk in reply.body])
    finally:
        await reply.aclose()


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": text}


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_asked_and_said_comes_before_the_input(stream: bool) -> None:
    link, upstream = history(), Upstream()
    await ask(link, upstream, input="one", stream=stream)
    call, _ = await ask(
        link, upstream, input=[user("two")], previous_response_id="resp_1", stream=stream
    )
    assert upstream.input == [user("one"), make_message("answer 1", id="msg_1"), user("two")]
    assert "previous_response_id" not in upstream.calls[-1].fields
    assert call.record.previous == "resp_1"
    await ask(link, upstream, input="three", previous_response_id="resp_2", stream=stream)
    assert [item.get("content") for item in upstream.input if item["role"] == "user"] == [
        "one", "two", "three",
    ]  # fmt: skip


async def test_the_items_keep_their_bytes() -> None:
    link, upstream = history(), Upstream()
    made = calls.make_call({"input": "x"}, dialect=RESPONSES, targets=(OTHER,))
    odd = b'[{"type":"message","role":"user","content":"x","n":1.0e1}]'
    await link(made.with_field("input", Raw(odd)), upstream)
    await ask(link, upstream, caller="anonymous", previous_response_id="resp_1")
    assert odd[1:-1] in bytes(upstream.calls[-1].fields["input"])


async def test_other_dialects_pass_by() -> None:
    link, upstream = history(), Upstream()
    call = calls.make_call({"store": True}, targets=(OTHER,))
    await link(call, upstream)
    assert upstream.calls == [call]
    assert not call.record.stored


@pytest.mark.parametrize(
    ("body", "stored"),
    [({}, True), ({"store": True}, True), ({"store": None}, True), ({"store": False}, False)],
)
async def test_the_client_may_refuse_to_have_it_kept(body: Any, stored: bool) -> None:
    link, upstream = history(), Upstream()
    call, _ = await ask(link, upstream, **body)
    assert call.record.stored is stored
    found = await link.find_response(Caller("tests"), "resp_1")
    assert (found is not None) is stored


async def test_an_unknown_id_is_told_as_openai_does() -> None:
    link, upstream = history(), Upstream()
    with pytest.raises(InvalidRequest) as caught:
        await ask(link, upstream, previous_response_id="resp_0")
    assert caught.value.code == "previous_response_not_found"
    with pytest.raises(InvalidRequest):
        await ask(link, upstream, previous_response_id="x" * 1000)
    assert upstream.calls == []


async def test_callers_never_see_each_others() -> None:
    link, upstream = history(), Upstream()
    await ask(link, upstream, caller="a")
    assert await link.find_response(Caller("b"), "resp_1") is None
    assert not await link.forget_response(Caller("b"), "resp_1")
    assert await link.find_response(Caller("a", Secret("own")), "resp_1") is None
    with pytest.raises(InvalidRequest):
        await ask(link, upstream, caller="b", previous_response_id="resp_1")


@pytest.mark.parametrize("end", ["failed", "in_progress"])
async def test_only_what_came_to_its_end_is_kept(end: str) -> None:
    link, upstream = history(), Upstream(status=end)
    await ask(link, upstream)
    assert await link.find_response(Caller("tests"), "resp_1") is None


async def test_a_stream_that_was_cut_is_not_kept() -> None:
    link, upstream = history(), Upstream()
    made = calls.make_call({"input": "x", "stream": True}, dialect=RESPONSES, targets=(OTHER,))
    reply = await link(made, upstream)
    assert isinstance(reply.body, Stream)
    await reply.body.read()
    await reply.aclose()
    assert await link.find_response(made.caller, "resp_1") is None


async def test_an_error_is_not_kept() -> None:
    link = history()

    async def refuse(call: Call) -> Reply:
        return Reply(400, RESPONSES, msgspec.json.encode(make_response(id="resp_1")))

    call = calls.make_call({"input": "x"}, dialect=RESPONSES, targets=(OTHER,))
    await link(call, refuse)
    assert await link.find_response(call.caller, "resp_1") is None


class TestNative:
    """Who speaks Responses keeps its own."""

    async def test_an_unknown_id_passes_as_it_is(self) -> None:
        link, upstream = history(), Upstream(relayed="open:m")
        call, _ = await ask(link, upstream, NATIVE, previous_response_id="resp_0")
        assert upstream.calls[0].fields == call.fields

    async def test_an_unknown_id_leaves_only_those_that_may_know_it(self) -> None:
        link, upstream = history(), Upstream(relayed="open:m")
        await ask(link, upstream, OTHER, NATIVE, previous_response_id="resp_0")
        assert upstream.calls[0].targets == (NATIVE,)

    async def test_an_id_leads_back_to_its_target(self) -> None:
        link, upstream = history(), Upstream(relayed="open2:m")
        await ask(link, upstream, NATIVE, SECOND)
        await ask(link, upstream, NATIVE, SECOND, previous_response_id="resp_1")
        last = upstream.calls[-1]
        assert (last.target, last.targets) == (SECOND, (SECOND,))
        assert bytes(last.fields["previous_response_id"]) == b'"resp_1"'

    async def test_a_target_that_is_gone_leaves_the_call_alone(self) -> None:
        link, upstream = history(), Upstream(relayed="gone:m")
        await ask(link, upstream, NATIVE)
        await ask(link, upstream, NATIVE, SECOND, previous_response_id="resp_1")
        assert upstream.calls[-1].targets == (NATIVE, SECOND)

    async def test_the_gateway_keeps_nothing_of_it(self) -> None:
        link, upstream = history(), Upstream(relayed="open:m")
        await ask(link, upstream, NATIVE)
        assert await link.find_response(Caller("tests"), "resp_1") is None
        assert await link.input_items(Caller("tests"), "resp_1") is None

    async def test_what_another_provider_said_goes_into_its_input(self) -> None:
        link, upstream = history(), Upstream()
        await ask(link, upstream, OTHER, input="one")
        upstream.relayed = "open:m"
        await ask(link, upstream, NATIVE, input="two", previous_response_id="resp_1")
        assert upstream.input[0] == user("one")
        assert "previous_response_id" not in upstream.calls[-1].fields


class TestReferences:
    """Items named by their id alone."""

    async def test_an_item_is_put_in_the_place_of_its_id(self) -> None:
        link, upstream = history(), Upstream()
        await ask(link, upstream)
        items = [{"type": "item_reference", "id": "msg_1"}, user("on")]
        await ask(link, upstream, input=items)
        assert upstream.input == [make_message("answer 1", id="msg_1"), user("on")]

    async def test_an_unknown_one_stays(self) -> None:
        link, upstream = history(), Upstream()
        items = [{"type": "item_reference", "id": "msg_0"}]
        await ask(link, upstream, input=items)
        assert upstream.input == items

    async def test_those_of_others_are_unknown(self) -> None:
        link, upstream = history(), Upstream()
        await ask(link, upstream, caller="a")
        items = [{"type": "item_reference", "id": "msg_1"}]
        await ask(link, upstream, input=items, caller="b")
        assert upstream.input == items


class TestEndpoints:
    """What can be asked about a response."""

    async def test_a_response_is_given_as_it_was(self) -> None:
        link, upstream = history(), Upstream()
        _, body = await ask(link, upstream)
        assert await link.find_response(Caller("tests"), "resp_1") == body

    async def test_what_is_forgotten_is_gone(self) -> None:
        link, upstream = history(), Upstream()
        await ask(link, upstream)
        assert await link.forget_response(Caller("tests"), "resp_1")
        assert not await link.forget_response(Caller("tests"), "resp_1")
        with pytest.raises(InvalidRequest):
            await ask(link, upstream, previous_response_id="resp_1")

    async def test_the_items_it_was_made_from(self) -> None:
        link, upstream = history(), Upstream()
        call = {"type": "function_call_output", "call_id": "c", "output": "x"}
        await ask(link, upstream, input="one")
        await ask(link, upstream, input=[user("two"), call], previous_response_id="resp_1")
        found = await link.input_items(Caller("tests"), "resp_2")
        assert found is not None
        assert [item.get("role", item["type"]) for item in found] == [
            "user", "assistant", "user", "function_call_output",
        ]  # fmt: skip
        assert found[0]["content"] == [{"type": "input_text", "text": "one"}]
        assert len({item["id"] for item in found}) == 4
        assert await link.input_items(Caller("tests"), "resp_9") is None

    async def test_an_id_of_any_length_is_just_unknown(self) -> None:
        link = history()
        assert await link.find_response(Caller("tests"), "x" * 10_000) is None
        assert not await link.forget_response(Caller("tests"), "x" * 10_000)


class Down(MemoryHistoryStore):
    """A store that does not answer."""

    async def get(self, tenant: str, ids: Sequence[str]) -> list[bytes | None]:
        raise StoreDown

    async def find_owners(self, tenant: str, names: Sequence[str]) -> list[str | None]:
        raise StoreDown

    async def drop(self, tenant: str, id: str) -> bool:
        raise StoreDown


async def test_a_store_that_is_down_is_not_taken_for_an_empty_one() -> None:
    link, upstream = history(), Upstream()
    link._store = Down(1, 1, 1000)
    await ask(link, upstream)  # what needs no store is answered
    with pytest.raises(Unavailable):
        await ask(link, upstream, previous_response_id="resp_1")
    with pytest.raises(Unavailable):
        await ask(link, upstream, input=[{"type": "item_reference", "id": "msg_1"}])
    with pytest.raises(Unavailable):
        await link.forget_response(Caller("tests"), "resp_1")


@pytest.mark.parametrize("url", ["http://x", "redis://host:no"])
def test_a_store_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        history(store=Secret(url))


class Clock:
    """A time that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestMemory:
    """The store in this process."""

    async def test_what_was_not_used_for_longest_goes_first(self) -> None:
        store = MemoryHistoryStore(10, 2, 10_000)
        store.put("t", "a", b"1", ["n"])
        store.put("t", "b", b"2", [])
        await store.get("t", ["a"])
        store.put("t", "c", b"3", [])
        assert await store.get("t", ["a", "b", "c"]) == [b"1", None, b"3"]
        assert await store.find_owners("t", ["n", "o"]) == ["a", None]

    async def test_bytes_are_bounded_and_counted(self) -> None:
        store = MemoryHistoryStore(10, 100, 2 * ENTRY_OVERHEAD + 10)
        store.put("t", "big", b"x" * 2000, [])
        assert (len(store), store.used_bytes) == (0, 0)
        store.put("t", "a", b"12345", [])
        store.put("t", "b", b"12345", [])
        assert store.used_bytes == 2 * ENTRY_OVERHEAD + 10
        store.put("t", "c", b"12345", ["n"])
        assert await store.get("t", ["a", "b", "c"]) == [None, None, b"12345"]
        assert store.used_bytes == 2 * ENTRY_OVERHEAD + 6

    async def test_a_value_lasts_from_its_last_use(self) -> None:
        clock = Clock()
        store = MemoryHistoryStore(10, 100, 10_000, clock)
        store.put("t", "a", b"1", ["n"])
        clock.now = 9
        assert await store.get("t", ["a"]) == [b"1"]
        clock.now = 18
        assert await store.get("t", ["a"]) == [b"1"]
        clock.now = 28
        assert await store.get("t", ["a"]) == [None]
        assert store.used_bytes == 0
        assert await store.find_owners("t", ["n"]) == [None]

    async def test_a_value_put_again_is_one(self) -> None:
        store = MemoryHistoryStore(10, 100, 10_000)
        for _ in range(2):
            store.put("t", "a", b"1", ["n"])
        assert len(store) == 1
        assert await store.drop("t", "a")
        assert not await store.drop("t", "a")
        assert store.used_bytes == 0
        async with store.running():
            assert len(store) == 0
