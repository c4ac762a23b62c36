"""What changes where client and upstream speak Chat, and that nothing else does."""

import msgspec
import pytest

from gateway.call import Target
from gateway.capability.record import Capability
from gateway.dialects.chat import CHAT
from gateway.dialects.chat.same_dialect import adapt_request, make_relay, needs_usage_opt_in
from gateway.neutral.seal import Seal, Sealed
from gateway.wire.sse import data_frame
from tests.fakes import calls

SEAL = Seal(b"k")
DEEPSEEK = Capability(reasoning_out="required_with_tools")
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def messages(body: list[object], capability: Capability) -> object:
    call = adapt_request(calls.make_call({"messages": body}), capability, SEAL)
    return msgspec.json.decode(call.fields["messages"])


def test_most_calls_are_the_same_call() -> None:
    call = calls.make_call()
    assert adapt_request(call, Capability(), SEAL) is call
    assert adapt_request(call, DEEPSEEK, SEAL) is call


def test_a_server_that_wants_reasoning_with_every_tool_call_gets_it() -> None:
    asked = {"role": "assistant", "content": None, "tool_calls": CALLS}
    told = {"role": "assistant", "tool_calls": CALLS, "reasoning_content": "hm"}
    plain = {"role": "assistant", "content": 'no "tool_calls" here'}
    before = [{"role": "user", "content": "x"}, asked, told, plain]
    assert messages(before, DEEPSEEK) == [
        before[0], asked | {"reasoning_content": ""}, told, plain,
    ]  # fmt: skip
    assert messages(before, Capability()) == before


def test_what_is_no_conversation_passes_untouched() -> None:
    call = calls.make_call({"messages": {"tool_calls": "~gw01."}})
    assert adapt_request(call, DEEPSEEK, SEAL) is call


@pytest.mark.parametrize("kind", ["content", "reasoning_details"])
def test_sealed_reasoning_of_another_provider_is_left_out(kind: str) -> None:
    blob = SEAL.seal(Sealed("p", "m", "signature", "s"))
    parts = [
        {"type": "thinking", "thinking": "t", "signature": blob},
        {"type": "text", "text": "a"},
    ]
    call = calls.make_call({"messages": [{"role": "assistant", kind: parts}]})
    kept = adapt_request(call, Capability(), SEAL)
    assert msgspec.json.decode(kept.fields["messages"]) == [{"role": "assistant", kind: parts[1:]}]
    assert kept.record.warnings == ["messages:foreign_reasoning_dropped"]


def test_sealed_signatures_of_another_provider_are_left_out() -> None:
    blob = Seal(b"k").seal(Sealed("p", "m", "call", "s"))
    sealed = {"extra_content": {"google": {"thought_signature": blob}}}
    own = {"extra_content": {"google": {"thought_signature": "own"}}}
    turn = {"role": "assistant", "content": "x"}
    body: list[object] = [turn | sealed | {"tool_calls": [CALLS[0] | sealed, CALLS[0] | own]}]
    assert messages(body, Capability()) == [turn | {"tool_calls": [CALLS[0], CALLS[0] | own]}]


COUNTED = {"include_usage": True}


@pytest.mark.parametrize(
    ("asked", "reaches"),
    [
        ({}, COUNTED),
        ({"stream_options": None}, COUNTED),
        ({"stream_options": {"include_usage": False}}, COUNTED),
        ({"stream_options": {"brand_new": 1}}, {"brand_new": 1} | COUNTED),
    ],
)
def test_the_gateway_asks_for_the_usage_of_a_stream(
    asked: dict[str, object], reaches: dict[str, object]
) -> None:
    call = calls.make_call({"stream": True} | asked)
    assert needs_usage_opt_in(call, Capability())
    sent = adapt_request(call, Capability(), SEAL).fields
    assert msgspec.json.decode(sent["stream_options"]) == reaches
    assert {k: v for k, v in sent.items() if k != "stream_options"} == {
        k: v for k, v in call.fields.items() if k != "stream_options"
    }


@pytest.mark.parametrize(
    ("asked", "capability"),
    [
        ({}, Capability()),
        ({"stream": False}, Capability()),
        ({"stream": True}, Capability(stream_usage=False)),
        ({"stream": True, "stream_options": COUNTED}, Capability()),
        ({"stream": True, "stream_options": 7}, Capability()),  # the upstream's to refuse
    ],
)
def test_no_usage_is_asked_for_where_none_comes_or_the_client_asks(
    asked: dict[str, object], capability: Capability
) -> None:
    call = calls.make_call(asked)
    assert not needs_usage_opt_in(call, capability)
    assert adapt_request(call, capability, SEAL) is call


def relayed(capability: Capability, **said: object) -> bytes:
    target = Target("p", "m", (CHAT,), capability)
    return make_relay(CHAT, calls.make_call({"stream": True} | said, targets=(target,))).feed(
        FLAWED + USAGE
    )


FLAWED = data_frame(
    msgspec.json.encode({"choices": [{"index": 0, "delta": {"tool_calls": [{"id": "c"}]}}]})
)
USAGE = data_frame(
    msgspec.json.encode({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
)


def test_calls_are_mended_where_the_server_is_known_for_it() -> None:
    asked = {"stream_options": COUNTED}
    assert relayed(Capability(), **asked) == FLAWED + USAGE
    mended = relayed(Capability(mend_calls=True), **asked)
    assert mended != FLAWED + USAGE
    assert mended.endswith(USAGE)


def test_the_usage_that_the_gateway_alone_asked_for_goes_no_further() -> None:
    assert relayed(Capability()) == FLAWED
    assert relayed(Capability(stream_usage=False)) == FLAWED + USAGE
