"""Messages at a cloud's own address: what its API takes otherwise than Anthropic's.

The model stands in the path, the version and the betas in the body or in a header of the host's
choice, and a beta that the host does not know is refused there: it stays here, together with the
members of the body that ask for it.
"""

from collections.abc import Iterable
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Headers
from gateway.dialect import Fields
from gateway.errors import InvalidRequest
from providers.transport.halves import without_half

REFUSED = ("service_tier",)
"""Members whose values are Anthropic's own."""
_SILENT = ("claude-code", "oauth")
"""Betas that ask for nothing: they name the client, or how it signed in at Anthropic."""
_HARMLESS = ("fine-grained-tool-streaming", "prompt-caching-scope", "token-efficient-tools")
"""Betas without which the answer is the same, though it may cost more or come in larger pieces."""
_WHY = "unknown_to_host"


class Hosted(Struct, frozen=True):
    """A request as a host takes it, and what had to stay behind."""

    fields: Fields
    betas: list[str]
    dropped: list[str]
    """What the answer may be the poorer for."""
    noted: list[str]
    """What it is not."""


def hosted(call: Call, without: Iterable[str]) -> Hosted:
    """The call's body without those members, its betas as the host calls them."""
    known = call.target.capability.betas if call.target is not None else None
    named = _named(known) if known is not None else None
    fields = {name: raw for name, raw in call.fields.items() if name not in without}
    found = Hosted(fields, [], [], [])
    for beta in asked(call.headers):
        name = beta if named is None else named.get(beta)
        if name is None:
            _leave(found, beta)
        elif name not in found.betas:
            found.betas.append(name)
    gone = [name for name in REFUSED if fields.pop(name, None) is not None]
    found.noted.extend(f"{name}:{_WHY}" for name in gone)
    return found


def _leave(found: Hosted, beta: str) -> None:
    """Leaves a beta behind, and its half of the body."""
    half = without_half(found.fields, beta)
    if beta.startswith(_SILENT):
        return
    told = found.noted if beta.startswith(_HARMLESS) else found.dropped
    told.append(f"anthropic-beta:{beta}_{_WHY}")
    if half is not None:
        told.append(f"{half}:{_WHY}")


@lru_cache(maxsize=256)
def _named(known: tuple[str, ...]) -> dict[str, str]:
    """The host's name of each beta that it knows."""
    pairs = (entry.partition("=") for entry in known)
    return {ours: theirs or ours for ours, _, theirs in pairs}


def asked(headers: Headers) -> list[str]:
    """The betas of a client's headers, each once."""
    lists = (value.decode("latin-1") for name, value in headers if name == b"anthropic-beta")
    betas = (beta.strip() for each in lists for beta in each.split(","))
    return list(dict.fromkeys(beta for beta in betas if beta))


def tell(call: Call, found: Hosted, *, strict: bool) -> None:
    """Warns of what stayed behind. InvalidRequest where nothing may that the answer needs."""
    dropped = found.dropped
    if dropped and strict:
        what = ", ".join(dropped)
        raise InvalidRequest(f"the provider takes no {what}", param=dropped[0].partition(":")[0])
    told, warnings = dropped + found.noted, call.record.warnings
    call.record.warnings = warnings + [each for each in told if each not in warnings]


def versioned(fields: Fields, version: str) -> Fields:
    """The body with the version of the API in it, unless the client gave one there."""
    return {"anthropic_version": Raw(msgspec.json.encode(version))} | fields


def error_body(kind: str, message: str) -> bytes:
    """An error in the words of the Messages API."""
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return msgspec.json.encode(error)
