"""What a client carries in `thoughtSignature`."""

import base64

import pytest

from gateway.dialects.gemini.signature_bundle import (
    SEALED_JSON_PREFIX,
    ReasoningBundle,
    encode_bundle,
    encode_signature,
    parse_signature,
    to_standard_base64,
)
from gateway.neutral.events import Redacted, Thinking
from gateway.neutral.seal import Sealed
from tests.dialects.gemini.sent import SEAL


def test_one_blob_comes_back() -> None:
    blob = SEAL.seal(Sealed("p", "m", "signature", "data"))
    given = encode_signature(blob)
    assert b'"' + given.encode()[: len(SEALED_JSON_PREFIX) - 1] == SEALED_JSON_PREFIX
    assert parse_signature(given) == blob


def test_several_pieces_come_back() -> None:
    given = encode_bundle(
        ReasoningBundle(
            [Thinking("ü", "~gw01.a"), Thinking("b")],
            [Redacted("~gw01.c", "")],
        )
    )
    assert base64.b64decode(given, validate=True)
    assert b'"' + given.encode()[: len(SEALED_JSON_PREFIX) - 1] == SEALED_JSON_PREFIX
    assert parse_signature(given) == ReasoningBundle(
        [Thinking("ü", "~gw01.a", "gemini"), Thinking("b", None, "gemini")],
        [Redacted("~gw01.c", "gemini")],
    )


@pytest.mark.parametrize("given", ["", "AAAA", "not base64!", "ÿ"])
def test_what_is_not_ours_stays_as_it_is(given: str) -> None:
    assert parse_signature(given) == given


@pytest.mark.parametrize(
    "broken",
    [
        "~gw01.~",
        "~gw01.~[",
        "~gw01.~[1]",
        '~gw01.~[["x",1,2]]',
    ],
)
def test_a_broken_bundle_carries_nothing(broken: str) -> None:
    assert parse_signature(encode_signature(broken)) == ReasoningBundle()


@pytest.mark.parametrize(("given", "made"), [("-_8", "+/8="), ("+/8=", "+/8="), ("AAAA", "AAAA")])
def test_base64_in_standard_letters(given: str, made: str) -> None:
    assert to_standard_base64(given) == made
