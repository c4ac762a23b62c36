"""Tool names and ids in the grammar of the other side."""

import hashlib
import re

import pytest
from hypothesis import given, strategies as st

from gateway.dialects.common.names import adapt_tool_id, sanitize_names

OPENAI = r"^[a-zA-Z0-9_-]{1,64}$"
GEMINI = r"^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$"
ANY_NAMES = st.lists(
    st.one_of(st.text(max_size=90), st.text("ab_/.", max_size=4), st.text("a", min_size=60)),
    max_size=12,
)


def test_legal_names_stay_and_are_not_stored() -> None:
    names = sanitize_names(["mcp__server__tool", "get-weather"], OPENAI, 64)
    assert names.to_upstream("mcp__server__tool") == "mcp__server__tool"
    assert names._to_upstream == {}


def test_a_collision_gets_a_number() -> None:
    names = sanitize_names(["foo/bar", "foo_bar", "foo.bar"], OPENAI, 64)
    assert [names.to_upstream(name) for name in ("foo/bar", "foo_bar", "foo.bar")] == [
        "foo_bar_2",
        "foo_bar",
        "foo_bar_3",
    ]
    assert names.to_client("foo_bar_2") == "foo/bar"
    assert names.to_client("foo_bar") == "foo_bar"


def test_a_long_name_ends_with_its_digest() -> None:
    name = "mcp__very" + "x" * 71
    sent = sanitize_names([name], OPENAI, 64).to_upstream(name)
    assert sent == name[:55] + "_" + hashlib.sha256(name.encode()).hexdigest()[:8]
    assert len(sent) == 64


@pytest.mark.parametrize(
    ("name", "pattern", "sent"),
    [
        ("", OPENAI, "t_"),
        ("ünï", OPENAI, "_n_"),
        ("a__b c", OPENAI, "a__b_c"),
        ("9lives", GEMINI, "t_9lives"),
        ("a.b:c", GEMINI, "a.b:c"),
        ("name\n", OPENAI, "name_"),
    ],
)
def test_a_name_is_bent_as_little_as_it_must(name: str, pattern: str, sent: str) -> None:
    assert sanitize_names([name], pattern, 64).to_upstream(name) == sent


def test_a_numbered_name_stays_within_the_limit() -> None:
    taken = "t" * 8
    names = sanitize_names([taken, "ttttttt/", "ttttttt_"], OPENAI, 8)
    assert names.to_upstream("ttttttt/") == "tttttt_2"


def test_a_lone_surrogate_is_no_fault() -> None:
    assert sanitize_names(["\ud83d" * 70], OPENAI, 64).to_upstream("\ud83d" * 70).startswith("___")
    assert adapt_tool_id("\ud83d", "messages").startswith("__")


@given(ANY_NAMES, st.sampled_from([(OPENAI, 64), (GEMINI, 128), (r"^[a-zA-Z0-9_-]{1,20}$", 20)]))
def test_it_is_a_bijection_into_the_grammar(names: list[str], grammar: tuple[str, int]) -> None:
    pattern, limit = grammar
    mapped = sanitize_names(names, pattern, limit)
    sent = {mapped.to_upstream(name) for name in names}
    assert len(sent) == len(set(names))
    assert all(re.fullmatch(pattern, name) and len(name) <= limit for name in sent)
    assert all(mapped.to_client(mapped.to_upstream(name)) == name for name in names)


def test_messages_ids() -> None:
    digest = hashlib.sha256(b"functions.Bash:0").hexdigest()[:6]
    assert adapt_tool_id("functions.Bash:0", "messages") == f"functions_Bash_0_{digest}"
    assert adapt_tool_id("toolu_01-A", "messages") == "toolu_01-A"
    assert adapt_tool_id("a.b", "messages") != adapt_tool_id("a:b", "messages")
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", adapt_tool_id("", "messages"))


def test_mistral_ids_are_nine_letters_or_digits() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9]{9}", adapt_tool_id("toolu_01ABC", "mistral"))
    assert adapt_tool_id("toolu_01ABC", "mistral") != adapt_tool_id("toolu_01ABD", "mistral")
    assert adapt_tool_id("D681PevKs", "mistral") == "D681PevKs"


def test_openai_ids_are_at_most_forty_long() -> None:
    assert adapt_tool_id("x" * 40, "openai") == "x" * 40
    assert re.fullmatch(r"call_[0-9a-f]{24}", adapt_tool_id("x" * 41, "openai"))
    assert re.fullmatch(r"call_[0-9a-f]{24}", adapt_tool_id("", "openai"))


def test_any_form_leaves_the_id() -> None:
    assert adapt_tool_id("functions.Bash:0", "any") == "functions.Bash:0"


@given(st.text(), st.sampled_from(["any", "messages", "mistral", "openai"]))
def test_an_id_once_bent_stays(id: str, form: str) -> None:
    assert adapt_tool_id(adapt_tool_id(id, form), form) == adapt_tool_id(id, form)
