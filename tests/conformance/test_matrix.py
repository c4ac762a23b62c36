"""The checklist, item by item, and that what ships claims no more of it than was just shown."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gateway.telemetry.conformance import Conformance, Count
from tests.conformance.__main__ import FIGURES, PAGE
from tests.conformance.figures import counted, unshown
from tests.conformance.openai_items import OPENAI
from tests.conformance.page import page
from tests.conformance.run import FAMILIES, Matrix, matrix
from tests.conformance.table import Item, Json, UpstreamAnswer, Way, lost, over, refused, same
from tests.sdk.answers import chat, message, text

IDS = [f"{family.name}: {item.name}" for family in FAMILIES for item in family.items]
HINT = "run `python -m tests.conformance`"


@pytest.mark.parametrize("id", IDS)
def test_item(run: Matrix, id: str) -> None:
    result = run.results[IDS.index(id)]
    assert not result.faults, result.faults
    if result.missing:
        pytest.skip(result.missing)
    assert result.passed


def test_the_checklist_has_its_82_items() -> None:
    assert [len(family.items) for family in FAMILIES] == [29, 28, 25]
    assert len(set(IDS)) == 82


def test_every_item_goes_to_both_dialects_or_has_checks_of_its_own() -> None:
    for family in FAMILIES:
        for item in family.items:
            conversion = [way.reaches is not None for way in item.ways]
            assert item.words or (any(conversion) and not all(conversion)), item.name


def test_what_ships_claims_no_more_than_was_just_shown(run: Matrix) -> None:
    shipped = msgspec.json.decode(FIGURES.read_bytes(), type=Conformance)
    assert unshown(shipped, counted(run.results)) == [], HINT


def test_every_answer_carries_the_shipped_figure(run: Matrix) -> None:
    shipped = msgspec.json.decode(FIGURES.read_bytes(), type=Conformance)
    assert run.compatibility == {str(shipped.overall).encode()}, HINT


def test_the_page_is_what_the_run_writes(run: Matrix) -> None:
    assert PAGE.read_text() == page(run.results), HINT


@pytest.mark.parametrize("name", ["anthropic", "openai", "openrouter", "overall"])
def test_a_claim_that_was_not_shown_is_found(run: Matrix, name: str) -> None:
    shown = counted(run.results)
    family = getattr(shown, name)
    boast = msgspec.structs.replace(family, passed=family.passed + 1)
    claims: dict[str, Any] = {name: boast}
    assert unshown(msgspec.structs.replace(shown, **claims), shown)
    assert unshown(msgspec.structs.replace(shown, version="0.0.0"), shown)
    assert unshown(msgspec.structs.replace(shown, phases={"more": Count(1, 1)}), shown)
    assert unshown(shown, shown) == []


def test_an_item_that_failed_since_is_found(run: Matrix) -> None:
    failed = [replace(run.results[0], faults=["no"]), *run.results[1:]]
    claims = unshown(counted(run.results), counted(failed))
    assert "anthropic: model is claimed" in claims
    assert "overall: anthropic: model is claimed" in claims


SEED: Json = {"seed": 7}
TOLD = "seed:unsupported_by_target"
OTHER = UpstreamAnswer(message(text("Other")), [])
WRONG: dict[str, Way] = {
    "lost in silence": lost("anthropic", SEED),
    "another warning": lost("anthropic", SEED, "seed:other"),
    "a warning that is none": lost("anthropic", {"temperature": 0.5}, TOLD),
    "more reaches it": over("anthropic", {"temperature": 0.5}),
    "less reaches it": over("anthropic", SEED, SEED, warns=(TOLD,)),
    "not refused": refused("anthropic", SEED, "seed: no"),
    "refused in other words": refused("anthropic", {"n": 2}, "n: no"),
    "not passed on": same(
        "openai", {"n": 2}, says=UpstreamAnswer(chat("Other"), []), streams="only"
    ),
    "another answer": over("anthropic", {}, says=OTHER),
    "no such words": over("anthropic", {}, told={"content": "Other"}),
}


def test_the_matrix_sees_what_is_not_so() -> None:
    items = tuple(Item(name, (way,)) for name, way in WRONG.items())
    found = asyncio.run(matrix([replace(OPENAI, items=items)]))
    assert {result.item.name for result in found.results if not result.faults} == set()
