"""The shipped table of what servers and models take."""

import importlib.resources
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.capability.record import Capability
from gateway.capability.table import capability, kind_base_url, known_kinds

KINDS = (
    "openai", "azure", "anthropic", "bedrock", "vertex", "openrouter", "deepseek", "groq",
    "mistral", "together", "xai", "ollama", "vllm", "llamacpp", "lmstudio", "gemini",
    "gemini-openai", "zai", "moonshot", "poe", "compatible",
)  # fmt: skip


def shipped() -> dict[str, Any]:
    source = importlib.resources.files("gateway").joinpath("data/capabilities.toml")
    return tomllib.loads(source.read_text("utf-8"))


def entries() -> Iterator[tuple[str, dict[str, Any]]]:
    table = shipped()
    for name, family in table["family"].items():
        yield from ((f"family.{name}[{at}]", entry) for at, entry in enumerate(family))
    for name, kind in table["kind"].items():
        yield f"kind.{name}.capability", {"match": "*"} | kind.get("capability", {})
        yield from (
            (f"kind.{name}[{at}]", entry) for at, entry in enumerate(kind.get("models", []))
        )


@pytest.mark.parametrize(("place", "entry"), list(entries()))
def test_every_member_of_the_table_is_one_of_the_record(place: str, entry: dict[str, Any]) -> None:
    assert isinstance(entry.pop("match"), str), place
    msgspec.convert(entry, Capability)


def test_all_kinds_are_known() -> None:
    assert known_kinds() == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_addresses_and_variables(kind: str) -> None:
    url = kind_base_url(kind)
    assert url is None or (url.startswith("http") and not url.endswith("/"))
    assert isinstance(capability(kind, "any-model"), Capability)


def test_known_addresses() -> None:
    assert kind_base_url("groq") == "https://api.groq.com/openai/v1"
    assert kind_base_url("compatible") is None


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match='"nowhere" is no kind of the table; known: openai, '):
        capability("nowhere", "m")


def test_overrides_win_and_are_checked() -> None:
    record = capability("openai", "gpt-5", {"sampling": "all", "effort": ["low"]})
    assert (record.sampling, record.effort, record.verbosity) == ("all", ("low",), True)
    with pytest.raises(msgspec.ValidationError):
        capability("openai", "gpt-5", {"no_such_member": 1})
    with pytest.raises(msgspec.ValidationError):
        capability("openai", "gpt-5", {"sampling": "some"})


def test_records_are_made_once() -> None:
    assert capability("openai", "gpt-5") is capability("openai", "gpt-5")


def test_plain_models_of_openai() -> None:
    record = capability("openai", "gpt-4o-mini")
    assert (record.token_param, record.sampling, record.stop_max) == (
        "max_completion_tokens",
        "all",
        4,
    )
    assert record.effort == ()
    assert not record.developer_role


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("o3", ("low", "medium", "high")),
        ("o4-mini-2025-04-16", ("low", "medium", "high")),
        ("gpt-5", ("minimal", "low", "medium", "high")),
        ("gpt-5-mini-2025-08-07", ("minimal", "low", "medium", "high")),
        ("gpt-5.1", ("none", "low", "medium", "high")),
        ("gpt-5.4-mini", ("none", "low", "medium", "high", "xhigh")),
        ("gpt-5.6-sol", ("none", "low", "medium", "high", "xhigh", "max")),
        ("gpt-6.2-astra", ("none", "low", "medium", "high", "xhigh", "max")),
    ],
)
def test_reasoning_models_of_openai(model: str, effort: tuple[str, ...]) -> None:
    record = capability("openai", model)
    assert record.effort == effort
    assert (record.token_param, record.sampling, record.stop_max) == (
        "max_completion_tokens",
        "none",
        0,
    )
    assert record.developer_role


def test_chat_models_of_a_reasoning_line_do_not_reason() -> None:
    record = capability("openai", "gpt-5-chat-latest")
    assert (record.effort, record.sampling, record.custom_tools) == ((), "all", False)


def test_azure_takes_the_same_family_under_its_own_members() -> None:
    assert capability("azure", "gpt-5").token_param == "max_completion_tokens"
    assert capability("azure", "my-deployment").token_param == "max_tokens"


XOR = "temp_xor_top_p"
BUDGET = ("enabled", "disabled")
BOTH = ("adaptive", "enabled", "disabled")
OFF = ("adaptive", "disabled")
NEW = ("low", "medium", "high", "xhigh", "max")
NO_XHIGH = ("low", "medium", "high", "max")
CLAUDES: list[tuple[str, str, str, bool, tuple[str, ...], tuple[str, ...], bool, int]] = [
    # model, sampling, prefill, forced tool, thinking, effort, system turns between, most output
    ("claude-3-haiku-20240307", "all", "native", True, (), (), False, 4096),
    ("claude-3-5-sonnet-20241022", "all", "native", True, (), (), False, 8192),
    ("claude-3-7-sonnet-latest", "all", "native", True, BUDGET, (), False, 64000),
    ("claude-opus-4-20250514", "all", "native", True, BUDGET, (), False, 32000),
    ("claude-sonnet-4-0", "all", "native", True, BUDGET, (), False, 64000),
    ("claude-opus-4-1-20250805", XOR, "native", True, BUDGET, (), False, 32000),
    ("claude-haiku-4-5", XOR, "native", True, BUDGET, (), False, 64000),
    ("claude-sonnet-4-5-20250929", XOR, "native", True, BUDGET, (), False, 64000),
    ("claude-opus-4-5", XOR, "native", True, BUDGET, NEW[:3], False, 64000),
    ("claude-opus-4-6", XOR, "none", True, BOTH, NO_XHIGH, False, 128000),
    ("claude-sonnet-4-6", XOR, "none", True, BOTH, NO_XHIGH, False, 128000),
    ("claude-opus-4-7", "none", "none", True, OFF, NEW, False, 128000),
    ("claude-opus-4-8", "none", "none", True, OFF, NEW, True, 128000),
    ("claude-opus-5", "none", "none", True, OFF, NEW, True, 128000),
    ("claude-opus-5-20260724", "none", "none", True, OFF, NEW, True, 128000),
    ("claude-sonnet-5", "none", "none", True, OFF, NEW, False, 128000),
    ("claude-fable-5", "none", "none", True, ("adaptive",), NEW, True, 128000),
    ("claude-fable-5-1", "none", "none", False, ("adaptive",), NEW, True, 128000),
    ("claude-opus-5-5", "none", "none", False, ("adaptive",), NEW, True, 128000),
    ("claude-sonnet-5-5", "none", "none", False, ("adaptive", "between_tools"), NEW, True, 128000),
    ("claude-haiku-5-5", "none", "none", True, OFF, NEW, True, 128000),
    ("claude-opus-7", "none", "none", False, ("adaptive",), NEW, True, 128000),
]  # fmt: skip


@pytest.mark.parametrize("row", CLAUDES, ids=[row[0] for row in CLAUDES])
def test_claudes(row: tuple[object, ...]) -> None:
    record = capability("anthropic", str(row[0]))
    assert row[1:] == (
        record.sampling,
        record.prefill,
        record.forced_tool,
        record.thinking,
        record.effort,
        record.mid_system,
        record.max_output,
    )
    assert record.tool_id == "messages"
    assert record.effort_form == "output_config"


@pytest.mark.parametrize("kind", ["bedrock", "vertex"])
def test_a_host_takes_claudes_without_urls_and_betas_it_does_not_know(kind: str) -> None:
    names = {"bedrock": "eu.anthropic.claude-opus-4-6-v1", "vertex": "claude-opus-4-6@20260205"}
    found, plain = capability(kind, names[kind]), capability("anthropic", "claude-opus-4-6")
    assert (found.sampling, found.thinking, found.effort) == (
        plain.sampling, plain.thinking, plain.effort,
    )  # fmt: skip
    assert not found.image_urls
    assert found.betas is not None
    assert "context-1m-2025-08-07" in found.betas
    assert plain.betas is None
    assert len(found.anthropic_versions) == 1


def test_structured_output_of_claudes() -> None:
    assert capability("anthropic", "claude-sonnet-4-20250514").schema == "none"
    assert capability("anthropic", "claude-opus-4-1").schema == "native"
    assert capability("anthropic", "claude-sonnet-4-5").schema == "native"


@pytest.mark.parametrize(
    ("openrouter", "anthropic"),
    [
        ("anthropic/claude-opus-4.8", "claude-opus-4-8"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4", "claude-sonnet-4-0"),
        ("anthropic/claude-3.7-sonnet:thinking", "claude-3-7-sonnet-latest"),
        ("anthropic/claude-sonnet-5.5", "claude-sonnet-5-5"),
    ],
)
def test_a_family_is_the_same_under_a_prefix(openrouter: str, anthropic: str) -> None:
    there, here = capability("openrouter", openrouter), capability("anthropic", anthropic)
    for member in ("sampling", "prefill", "forced_tool", "thinking", "mid_system", "max_output"):
        assert getattr(there, member) == getattr(here, member), member
    assert there.effort_form == "openrouter"
    assert there.effort
    assert capability("compatible", openrouter).sampling == here.sampling


def test_letter_case_does_not_count() -> None:
    assert capability("poe", "Claude-Opus-4.7").sampling == "none"


def test_quirks_of_servers() -> None:
    assert capability("mistral", "mistral-large-latest").tool_id == "mistral"
    assert capability("deepseek", "deepseek-chat").reasoning_out == "required_with_tools"
    assert not capability("moonshot", "kimi-k2").tool_choice_required
    assert capability("moonshot", "kimi-k2").prefill == "partial"
    assert capability("vllm", "any").prefill == "continue"
    assert not capability("zai", "glm-5").forced_tool
    assert capability("compatible", "any") == Capability(embeddings=True, completions=True)


@pytest.mark.parametrize(
    ("kind", "model", "embeddings", "completions"),
    [
        ("openai", "gpt-4o", True, False), ("openai", "gpt-3.5-turbo-instruct", True, True),
        ("azure", "gpt-4o", True, False), ("azure", "gpt-35-turbo-instruct", True, True),
        ("openrouter", "openai/gpt-4o", True, True), ("mistral", "mistral-embed", True, False),
        ("groq", "llama", False, False), ("deepseek", "deepseek-chat", False, False),
        ("vllm", "any", True, True), ("anthropic", "claude-opus-4-8", False, False),
    ],
)  # fmt: skip
def test_what_servers_have_beside_chat(
    kind: str, model: str, embeddings: bool, completions: bool
) -> None:
    found = capability(kind, model)
    assert (found.embeddings, found.completions) == (embeddings, completions)


@pytest.mark.parametrize(
    ("model", "dialects"),
    [
        ("gpt-5", ()), ("gpt-5.2", ()), ("gpt-4o", ()), ("o3", ()), ("o4-mini", ()),
        ("gpt-5-pro", ("responses",)), ("gpt-5.2-pro-2026-01-01", ("responses",)),
        ("gpt-5-codex", ("responses",)), ("gpt-5.3-codex", ("responses",)),
        ("codex-mini-latest", ("responses",)), ("o1-pro", ("responses",)),
        ("o3-pro-2025-06-10", ("responses",)), ("o3-deep-research", ("responses",)),
        ("o4-mini-deep-research-2025-06-26", ("responses",)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_some_models_are_served_by_responses_alone(
    kind: str, model: str, dialects: tuple[str, ...]
) -> None:
    assert capability(kind, model).dialects == dialects
    assert capability("openrouter", f"openai/{model}").dialects == ()


@pytest.mark.parametrize(
    ("model", "encrypted"),
    [("gpt-4o", False), ("gpt-4.1-mini", False), ("gpt-5-chat-latest", False), ("o1-mini", False),
     ("o3", True), ("gpt-5", True), ("gpt-5.1-codex", True), ("gpt-7", True)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_only_models_that_reason_are_asked_for_encrypted_reasoning(
    kind: str, model: str, encrypted: bool
) -> None:
    assert capability(kind, model).encrypted_reasoning is encrypted


GEMINIS: list[tuple[str, dict[str, object]]] = [
    ("gemini-4-argon", {"effort": ("low", "medium", "high"), "prefill": "none"}),
    ("models/gemini-3.8-flash", {"effort": ("low", "medium", "high"), "sampling": "none"}),
    ("gemini-3.6-flash", {"effort": ("minimal", "low", "medium", "high"), "sampling": "none"}),
    ("gemini-3.5-flash-lite", {"sampling": "none", "prefill": "none"}),
    ("gemini-3.5-flash", {"sampling": "all", "prefill": "native"}),
    ("gemini-3.1-pro-preview", {"effort": ("low", "medium", "high"), "sampling": "all"}),
    ("gemini-3-pro-preview", {"effort": ("low", "high"), "thought_signatures": "required"}),
    ("gemini-3-flash-preview", {"effort": ("minimal", "low", "medium", "high")}),
    ("gemini-flash-latest", {"sampling": "none", "thought_signatures": "required"}),
    ("gemini-2.5-pro", {"effort": (), "thinking_budget": (128, 32768), "call_ids": False,
                        "thought_signatures": "extra_content", "penalties": False}),
    ("gemini-2.5-flash", {"thinking_budget": (1, 24576), "image_urls": True}),
    ("gemini-2.5-flash-lite", {"thinking_budget": (512, 24576)}),
    ("gemini-2.0-flash", {"thinking_budget": (0, 0), "penalties": True, "image_urls": False,
                          "thought_signatures": "none", "max_output": 8192}),
    ("gemma-3-27b-it", {"schema": "none", "thought_signatures": "none"}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "members"), GEMINIS)
def test_models_of_geminis_own_api(model: str, members: dict[str, object]) -> None:
    found = capability("gemini", model)
    assert {name: getattr(found, name) for name in members} == members
