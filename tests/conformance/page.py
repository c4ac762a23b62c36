"""docs/compatibility.md, written from the table and a run of it."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from gateway.telemetry.conformance import Conformance
from tests.conformance.figures import counted
from tests.conformance.run import FAMILIES, Result
from tests.conformance.table import Family, Json, Way

HEAD = """\
# Compatibility

`python -m tests.conformance` writes this page and `gateway/data/conformance.json` from one run of
the table in `tests/conformance`. A gateway in a process of its own stands between a client and a
scripted upstream. Each line is sent, whole and as a stream, and compared with what reached the
upstream, what came back and every warning; an item counts where all its lines held.

* *the same bytes*: the upstream got the client's bytes with only `model` replaced, and the client
  the upstream's bytes.
* JSON: the members of the upstream's request beside the plain ones (model, messages, limit).
* *told*: `x-gateway-warnings`, or the error, or what of the answer shows the item. What the other
  dialect cannot say counts only because it is told; where the answer would be another without it,
  the request is refused. What asks for nothing (`n: 1`, `store: false`) is left out.

Every answer carries the overall figure as `X-API-Compatibility`.
"""
_LONG = re.compile(r"[A-Za-z0-9+/=]{40,}")
_WIDEST = 200


def page(results: Sequence[Result]) -> str:
    """The whole page."""
    figures = counted(results)
    parts = [HEAD, _summary(figures)]
    tables = (_table(each, [r for r in results if r.family is each]) for each in FAMILIES)
    return "\n".join([*parts, *tables])


def _summary(figures: Conformance) -> str:
    lines = ["| API | shown |", "|---|---|"]
    lines += [f"| {each.title} | {getattr(figures, each.name)} |" for each in FAMILIES]
    lines.append(f"| overall | {figures.overall} |")
    missing = figures.overall.missing
    if missing:
        lines += ["", "Not shown:", ""]
        lines += [f"* {each.item}: {each.reason}" for each in missing]
    return "\n".join(lines) + "\n"


def _table(family: Family, results: Sequence[Result]) -> str:
    lines = [
        f"## {family.title}", "",
        "| item | client | sends | to | which gets | told |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for result in results:
        name = result.item.name if result.passed else f"{result.item.name} (not shown)"
        if result.item.words:
            lines.append(f"| {name} | | {result.item.words} | | | |")
        for row in _rows(result.item.ways, family):
            lines.append(f"| {name} | {row} |")
            name = ""
    return "\n".join(lines) + "\n"


def _rows(ways: Sequence[Way], family: Family) -> Iterator[str]:
    for way in ways:
        client = way.client or family.client
        to = f"{way.to} `{way.id}`"
        yield " | ".join([client, _code(way.sends), to, _reaches(way), _told(way)])


def _reaches(way: Way) -> str:
    if way.refused:
        return "not at all"
    if way.reaches is None:
        return f"the same bytes and {_code(way.adds)}" if way.adds else "the same bytes"
    return _code(way.reached(streamed=way.streams == "only"))


def _told(way: Way) -> str:
    if way.refused:
        return f"400 `{way.refused}`"
    told = [f"`{warning}`" for warning in way.warns]
    answer = {name: value for name, value in way.told.items() if value is not ...}
    if answer:
        told.append(f"the answer has {_code(answer)}")
    return ", ".join(told)


def _code(members: Json) -> str:
    if not members:
        return "nothing more"
    text = _LONG.sub("…", msgspec.json.encode(members).decode())
    text = text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
    return f"`{text}`".replace("|", "\\|")
