"""Where aliases lead, found without a call."""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from gateway.aliases import Names, alias_faults, reachable, with_shipped
from gateway.config.load import Config, fold


def said(aliases: dict[str, list[str]]) -> list[str]:
    """What is wrong with aliases of a gateway whose providers are `openai` and `groq`."""
    return [str(fault) for fault in alias_faults(Config(aliases=aliases), {}, ["openai", "groq"])]


@pytest.mark.parametrize(
    "aliases",
    [
        {},
        {"fast": ["openai:gpt-5-mini"]},
        {"fast": ["plain-model"], "chain": ["fast", "!ft:literal:x"]},
        {"gpt-5": ["gpt-5"]},
        {f"a{n}": [f"a{n + 1}"] for n in range(9)},
    ],
)
def test_sound_aliases(aliases: dict[str, list[str]]) -> None:
    assert said(aliases) == []


@pytest.mark.parametrize(
    ("aliases", "faults"),
    [
        ({"a": []}, ["aliases.a: names no model"]),
        ({"a": ["!"]}, ["aliases.a[0]: names no model"]),
        ({"a": ["openai:"]}, ["aliases.a[0]: names no model"]),
        ({"a": ["x", "x"]}, ['aliases.a[1]: "x" stands here twice']),
        (
            {"a.b": ["opnai:x"]},
            ['aliases."a.b"[0]: there is no provider "opnai" (did you mean "openai"?)'],
        ),
        (
            {"a": ["x", "B_c"], "b-C": ["a"]},
            ["aliases.a: leads in a circle: a -> b-c -> a"],
        ),
    ],
)
def test_aliases_that_cannot_work(aliases: dict[str, list[str]], faults: list[str]) -> None:
    assert said(aliases) == faults


def test_targets_at_disabled_providers_are_left_out() -> None:
    kept, warnings = reachable({"a": ["x:1", "y:1"], "b": ["x:2"], "c": ["z"]}, ["x"])
    assert kept == {"a": ["y:1"], "c": ["z"]}
    assert [fault.path for fault in warnings] == ["aliases.a", "aliases.b"]


def test_the_operator_says_what_big_is() -> None:
    found = with_shipped({"Big": ["m"]}, "openrouter", "router")
    assert found == {"Big": ["m"], "small": ["router:anthropic/claude-3.7-sonnet"]}


_ALIAS = st.text(alphabet="ab-_AB", min_size=0, max_size=4)
_TABLE = st.dictionaries(_ALIAS, st.lists(st.just("p:m"), min_size=1, max_size=1), max_size=6)


def _partial(alias: str, targets: Sequence[str]) -> bool:
    return not alias.endswith("_")


@given(st.lists(_TABLE, max_size=3), st.text(alphabet="ab-", max_size=8))
def test_names_are_found_as_by_looking_at_each_alias(
    tables: list[dict[str, list[str]]], name: str
) -> None:
    owned = [(f"owner-{place}", table) for place, table in enumerate(tables)]
    each = [(place, owner, alias) for place, (owner, table) in enumerate(owned) for alias in table]
    whole = next(((owner, alias) for _, owner, alias in each if fold(alias) == name), None)
    parts = [
        (-len(alias), place, alias, owner)
        for place, owner, alias in each
        if fold(alias) in name and _partial(alias, [])
    ]
    names = Names(owned, _partial)
    found = names.whole(name)
    assert (found[:2] if found else None) == whole
    part = names.part(name)
    assert (part[:2] if part else None) == ((min(parts)[3], min(parts)[2]) if parts else None)
