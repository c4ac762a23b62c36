"""What changes where client and upstream speak Responses."""

import msgspec
import pytest

from gateway.capability.record import Capability
from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses.same_dialect import adapt_request
from gateway.neutral.seal import Seal, Sealed
from tests.fakes import calls

SEAL = Seal(b"k")


def blob(data: str, model: str = "m", kind: str = "signature") -> str:
    return SEAL.seal(Sealed("up", model, kind, data))


def reasoned(encrypted: str) -> dict[str, object]:
    return {"type": "reasoning", "id": "rs_ours", "summary": [], "encrypted_content": encrypted}


def items(*given: object) -> tuple[object, list[str]]:
    targets = (calls.make_target("up", "m", RESPONSES),)
    call = calls.make_call({"input": list(given)}, dialect=RESPONSES, targets=targets)
    fit = adapt_request(call, Capability(), SEAL)
    return msgspec.json.decode(fit.fields["input"]), fit.record.warnings


SAID = {"type": "message", "role": "user", "content": "what is ~gw01.abc?"}


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
    [blob("EqQB", "other"), blob("digest", kind="text"), "~gw01.rubbish"],
)
def test_reasoning_of_others_is_left_out(foreign: str) -> None:
    native = reasoned("gAAA")
    assert items(reasoned(foreign), native, SAID) == (
        [native, SAID], ["input:foreign_reasoning_dropped"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        "~gw01.",
        {"a": "~gw01."},
        [3, "~gw01."],
    ],
)
def test_an_input_that_is_no_list_of_items_passes_untouched(given: object) -> None:
    call = calls.make_call(
        {"input": given}, dialect=RESPONSES, targets=(calls.make_target("up", "m", RESPONSES),)
    )
    assert adapt_request(call, Capability(), SEAL) is call
