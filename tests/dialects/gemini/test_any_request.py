"""Whatever a Gemini client sends, what comes of it is a request or an InvalidRequest."""

import contextlib
from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.gemini.repair import add_placeholder_signatures, strip_sealed
from gateway.dialects.gemini.signature_bundle import (
    ReasoningBundle,
    encode_bundle,
    encode_signature,
)
from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.neutral.events import Redacted, Thinking
from gateway.neutral.notes import LossReport
from tests.dialects.gemini.sent import conversion, fields

KEYS = st.sampled_from([
    "text", "thought", "thoughtSignature", "thought_signature", "inlineData", "inline_data", "data",
    "mimeType", "mime_type", "fileData", "fileUri", "functionCall", "function_call", "name", "args",
    "id", "functionResponse", "response", "output", "error", "parts", "role", "executableCode",
    "code", "codeExecutionResult", "toolCall", "videoMetadata", "functionDeclarations",
    "parameters", "parametersJsonSchema", "type", "nullable", "properties", "items", "anyOf",
    "googleSearch", "functionCallingConfig", "mode", "allowedFunctionNames", "thinkingBudget",
    "thinkingLevel", "includeThoughts", "propertyOrdering", "enum", "maxItems",
])  # fmt: skip
BLOBS = [
    encode_signature("~gw01.x"),
    encode_bundle(ReasoningBundle([Thinking("a", "b")], [Redacted("c", "")])),
    "AAAA",
    "-_",
]
WORDS = st.sampled_from([
    "user", "model", "system", "f", "image/png", "application/pdf", "text/plain", "audio/wav",
    "video/mp4", "https://h/a.png", "gs://b/a", "OBJECT", "STRING", "ANY", "AUTO", "HIGH", "5",
    *BLOBS,
])  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers(-2, 2**63) | st.floats(allow_nan=False) | WORDS
    | st.text(max_size=3)
)  # fmt: skip
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
CALL = st.fixed_dictionaries({"name": WORDS}, optional={"id": WORDS, "args": ANY})
RESPONSE = st.fixed_dictionaries({"name": WORDS}, optional={"id": WORDS, "response": ANY})
BLOB = st.fixed_dictionaries({"mimeType": WORDS, "data": WORDS})
PART = st.dictionaries(KEYS, ANY, max_size=2) | st.fixed_dictionaries(
    {},
    optional={
        "text": WORDS,
        "thought": st.booleans(),
        "thoughtSignature": WORDS,
        "functionCall": CALL,
        "functionResponse": RESPONSE,
        "inline_data": BLOB,
    },
)
CONTENT = st.fixed_dictionaries(
    {"parts": st.lists(PART, max_size=3)}, optional={"role": st.sampled_from(["user", "model"])}
)
CONTENTS = st.lists(CONTENT | ANY, min_size=1, max_size=4)
NAMES = st.sampled_from([
    "tools", "toolConfig", "tool_config", "generationConfig", "generation_config",
    "systemInstruction", "safetySettings", "serviceTier", "labels", "store",
])  # fmt: skip
SETTINGS = st.sampled_from([
    "maxOutputTokens", "temperature", "topP", "top_k", "seed", "stopSequences", "candidateCount",
    "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig", "presencePenalty",
    "responseModalities", "speechConfig", "logprobs",
])  # fmt: skip


def names_a_member(fault: InvalidRequest) -> None:
    assert fault.param
    assert fault.message.startswith(fault.param)


def check(members: dict[str, Any], target: Dialect) -> None:
    try:
        given = fields(**members)
        GEMINI.check(given)
        prompt = GEMINI.read_prompt(given, LossReport())
        target.write_prompt(conversion(prompt))
    except InvalidRequest as fault:
        names_a_member(fault)


@settings(max_examples=300, deadline=None)
@given(contents=CONTENTS, target=st.sampled_from([CHAT, MESSAGES, GEMINI]))
def test_any_conversation(contents: list[Any], target: Dialect) -> None:
    check({"contents": contents}, target)


@settings(max_examples=300, deadline=None)
@given(
    members=st.dictionaries(NAMES, ANY, max_size=3),
    config=st.dictionaries(SETTINGS, ANY, max_size=4),
    target=st.sampled_from([CHAT, MESSAGES]),
)
def test_any_member(members: dict[str, Any], config: dict[str, Any], target: Dialect) -> None:
    check({"generationConfig": config} | members, target)


@settings(max_examples=300, deadline=None)
@given(tools=st.lists(st.dictionaries(KEYS, st.lists(ANY, max_size=2) | ANY, max_size=3)))
def test_any_tool(tools: list[Any]) -> None:
    check({"tools": tools}, MESSAGES)


@settings(max_examples=300, deadline=None)
@given(contents=CONTENTS)
def test_any_conversation_on_its_way_to_google(contents: list[Any]) -> None:
    raw = Raw(msgspec.json.encode(contents))
    with contextlib.suppress(msgspec.ValidationError):
        add_placeholder_signatures(strip_sealed(raw))
