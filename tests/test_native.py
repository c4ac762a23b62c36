"""What changes on the byte lane, and that nothing else does."""

import msgspec
import pytest

from gateway.capability import Capability
from gateway.dialects.responses import RESPONSES
from gateway.native import fitted
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
    call = calls.call({"messages": {"tool_calls": "gw1."}})
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


SAID = {"type": "message", "role": "user", "content": "what is gw1.abc?"}


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
    "foreign", [blob("EqQB", "other"), blob("digest", kind="text"), "gw1.rubbish"]
)
def test_reasoning_of_others_is_left_out(foreign: str) -> None:
    native = reasoned("gAAA")
    assert items(reasoned(foreign), native, SAID) == (
        [native, SAID], ["input:foreign_reasoning_dropped"],
    )  # fmt: skip


@pytest.mark.parametrize("given", ["gw1.", {"a": "gw1."}, [3, "gw1."]])
def test_an_input_that_is_no_list_of_items_passes_untouched(given: object) -> None:
    call = calls.call(
        {"input": given}, dialect=RESPONSES, targets=(calls.target("up", "m", RESPONSES),)
    )
    assert fitted(call, Capability(), SEAL) is call
