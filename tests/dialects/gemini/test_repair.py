"""What must change in a Gemini conversation on its way to Gemini."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from gateway.dialects.gemini.repair import add_placeholder_signatures, strip_sealed
from gateway.dialects.gemini.signature_bundle import (
    SEALED_JSON_PREFIX as MARK,
    ReasoningBundle,
    encode_bundle,
    encode_signature,
)
from gateway.neutral.events import Thinking
from tests.dialects.gemini.sent import said

SEALED = encode_signature("~gw01.data")
BUNDLED = encode_bundle(ReasoningBundle([Thinking("why", "~gw01.data")]))
CALL = {"functionCall": {"name": "f", "args": {"a": 1.0}}}


def raw(*contents: Any) -> Raw:
    return Raw(msgspec.json.encode(list(contents)))


def made(contents: Raw) -> Any:
    return msgspec.json.decode(contents)


@pytest.mark.parametrize(
    ("part", "left"),
    [
        (CALL | {"thoughtSignature": BUNDLED}, CALL),
        (CALL | {"thought_signature": SEALED}, CALL),
        ({"text": "x", "thoughtSignature": SEALED}, {"text": "x"}),
        ({"text": "", "thoughtSignature": SEALED}, None),
        ({"text": "why", "thought": True, "thoughtSignature": SEALED}, None),
        (CALL | {"thoughtSignature": "AbC="}, CALL | {"thoughtSignature": "AbC="}),
        ({"text": SEALED}, {"text": SEALED}),
        ({"functionCall": {"name": "f", "args": {"x": SEALED}}},) * 2,
    ],
)
def test_what_is_sealed_goes_no_further(part: Any, left: Any) -> None:
    given = raw(said("hi"), said("so", part, role="model"), said("on"))
    kept = ["so"] if left is None else ["so", left]
    assert made(strip_sealed(given)) == [said("hi"), said(*kept, role="model"), said("on")]


def test_a_content_of_nothing_else_goes_too() -> None:
    given = raw(said("hi"), said({"text": "", "thoughtSignature": SEALED}, role="model"))
    assert made(strip_sealed(given)) == [said("hi")]


def test_what_needs_no_change_keeps_its_bytes() -> None:
    plain = Raw(
        b'[ {"role":"model","parts":[ {"functionCall":{"name":"f"},"thoughtSignature":"A"}]}]'
    )
    assert strip_sealed(plain) is plain
    assert add_placeholder_signatures(plain) is plain
    texts = raw(said("hi"), said("so", role="model"))
    assert add_placeholder_signatures(texts) is texts


def test_the_first_call_of_an_unsigned_turn_skips_the_check() -> None:
    pieces = [said("so", role="model"), said(CALL, CALL, role="model"), said(CALL, role="model")]
    contents = [said("hi"), *pieces, said("on"), said({"function_call": {}}, role="model")]
    skipping = {"thoughtSignature": SKIP_SIGNATURE}
    assert made(add_placeholder_signatures(raw(*contents))) == [
        said("hi"),
        said("so", role="model"),
        said(CALL | skipping, CALL, role="model"),
        said(CALL, role="model"),
        said("on"),
        said({"function_call": {}} | skipping, role="model"),
    ]


def test_one_signature_is_enough_for_a_turn() -> None:
    pieces = [said(CALL, role="model"), said(CALL | {"thought_signature": "A"}, role="model")]
    given = raw(said("hi"), *pieces)
    assert add_placeholder_signatures(given) is given


def test_arguments_keep_their_spelling() -> None:
    given = Raw(b'[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a": 1.0 }}}]}]')
    assert b'"args":{"a": 1.0 }' in bytes(add_placeholder_signatures(given))


@pytest.mark.parametrize(
    "broken",
    [b'{"functionCall":"@"}', b'["@","functionCall"]', b'[{"parts":1,"functionCall":2}]'],
)
def test_what_are_no_contents_is_said_so(broken: bytes) -> None:
    contents = Raw(broken.replace(b"[{", b'[{"role":"model","x":"@",').replace(b'"@', MARK))
    for mend in (strip_sealed, add_placeholder_signatures):
        with pytest.raises(msgspec.ValidationError):
            mend(contents)
