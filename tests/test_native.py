"""What changes on the byte lane, and that nothing else does."""

import msgspec
import pytest

from gateway.call import Target
from gateway.capability import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.chat.mended import CallsMended
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.native import counts_alone, edit, fitted, speaks
from gateway.seal import Seal, Sealed
from tests.fakes import calls

SEAL = Seal(b"k")
DEEPSEEK = Capability(reasoning_out="required_with_tools")
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def messages(body: list[object], capability: Capability) -> object:
    call = fitted(calls.call({"messages": body}), capability, SEAL)
    return msgspec.json.decode(call.fields["messages"])


def test_most_calls_are_the_same_call() -> None:
    call = calls.call()
    assert fitted(call, Capability(), SEAL) is call
    assert fitted(call, DEEPSEEK, SEAL) is call


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
    call = calls.call({"messages": {"tool_calls": "SEALEDREASONINGOFINTERLINGUA1."}})
    assert fitted(call, DEEPSEEK, SEAL) is call


@pytest.mark.parametrize("kind", ["content", "reasoning_details"])
def test_sealed_reasoning_of_another_provider_is_left_out(kind: str) -> None:
    blob = SEAL.seal(Sealed("p", "m", "signature", "s"))
    parts = [
        {"type": "thinking", "thinking": "t", "signature": blob},
        {"type": "text", "text": "a"},
    ]
    call = calls.call({"messages": [{"role": "assistant", kind: parts}]})
    kept = fitted(call, Capability(), SEAL)
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
    call = calls.call({"stream": True} | asked)
    assert counts_alone(call, Capability())
    sent = fitted(call, Capability(), SEAL).fields
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
    call = calls.call(asked)
    assert not counts_alone(call, capability)
    assert fitted(call, capability, SEAL) is call


def test_streams_of_other_dialects_tell_their_usage_unasked() -> None:
    call = calls.call({"stream": True}, dialect=MESSAGES)
    assert fitted(call, Capability(), SEAL) is call


def test_most_streams_need_no_mending() -> None:
    call = calls.call()
    assert edit(call.dialect, Capability()) is None
    assert edit(MESSAGES, Capability(mend_calls=True)) is None
    assert isinstance(edit(call.dialect, Capability(mend_calls=True)), CallsMended)


@pytest.mark.parametrize(
    ("dialect", "spoken", "capability", "native"),
    [
        (CHAT, CHAT, Capability(), True),
        (MESSAGES, CHAT, Capability(), False),
        (EMBEDDINGS, CHAT, Capability(), False),
        (EMBEDDINGS, CHAT, Capability(embeddings=True), True),
        (EMBEDDINGS, MESSAGES, Capability(embeddings=True), False),
        (EMBEDDINGS, CHAT, Capability(completions=True), False),
        (COMPLETIONS, CHAT, Capability(completions=True), True),
        (COMPLETIONS, CHAT, Capability(embeddings=True), False),
        (COMPLETIONS, MESSAGES, Capability(completions=True), False),
    ],
)
def test_what_stands_beside_chat_is_asked_of_chat_servers_that_have_it(
    dialect: Dialect, spoken: Dialect, capability: Capability, native: bool
) -> None:
    assert speaks(Target("p", "m", (spoken,), capability), dialect) is native


# --- Responses ------------------------------------------------------------------------------------


def blob(data: str, model: str = "m", kind: str = "signature") -> str:
    return SEAL.seal(Sealed("up", model, kind, data))


def reasoned(encrypted: str) -> dict[str, object]:
    return {"type": "reasoning", "id": "rs_ours", "summary": [], "encrypted_content": encrypted}


def items(*given: object) -> tuple[object, list[str]]:
    targets = (calls.target("up", "m", RESPONSES),)
    call = calls.call({"input": list(given)}, dialect=RESPONSES, targets=targets)
    fit = fitted(call, Capability(), SEAL)
    return msgspec.json.decode(fit.fields["input"]), fit.record.warnings


SAID = {"type": "message", "role": "user", "content": "what is SEALEDREASONINGOFINTERLINGUA1.abc?"}


def test_reasoning_goes_back_to_who_minted_it_under_its_own_id() -> None:
    found, warnings = items(
        SAID, reasoned(blob("rs_1 gAAA")), reasoned(blob("gBBB", kind="redacted"))
    )
    assert found == [
        SAID,
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "summary": [], "encrypted_content": "gBBB"},
    ]
    assert warnings == []


@pytest.mark.parametrize(
    "foreign",
    [blob("EqQB", "other"), blob("digest", kind="text"), "SEALEDREASONINGOFINTERLINGUA1.rubbish"],
)
def test_reasoning_of_others_is_left_out(foreign: str) -> None:
    native = reasoned("gAAA")
    assert items(reasoned(foreign), native, SAID) == (
        [native, SAID], ["input:foreign_reasoning_dropped"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        "SEALEDREASONINGOFINTERLINGUA1.",
        {"a": "SEALEDREASONINGOFINTERLINGUA1."},
        [3, "SEALEDREASONINGOFINTERLINGUA1."],
    ],
)
def test_an_input_that_is_no_list_of_items_passes_untouched(given: object) -> None:
    call = calls.call(
        {"input": given}, dialect=RESPONSES, targets=(calls.target("up", "m", RESPONSES),)
    )
    assert fitted(call, Capability(), SEAL) is call
