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

ERROR_LIMIT = 1024 * 1024
REFUSED = ("service_tier",)
"""Members whose values are Anthropic's own."""


class Hosted(Struct, frozen=True):
    """A request as a host takes it, and what had to stay behind."""

    fields: Fields
    betas: list[str]
    dropped: list[str]


def hosted(call: Call, without: Iterable[str]) -> Hosted:
    """The call's body without those members, its betas as the host calls them."""
    known = call.target.capability.betas if call.target is not None else None
    named = _named(known) if known is not None else None
    fields = {name: raw for name, raw in call.fields.items() if name not in without}
    taken: list[str] = []
    dropped: list[str] = []
    for beta in asked(call.headers):
        name = beta if named is None else named.get(beta)
        if name is not None:
            taken += [name] if name not in taken else []
            continue
        dropped.append(f"anthropic-beta:{beta}_unknown_to_host")
        if (half := without_half(fields, beta)) is not None:
            dropped.append(f"{half}:unknown_to_host")
    gone = [name for name in REFUSED if fields.pop(name, None) is not None]
    dropped += [f"{name}:unknown_to_host" for name in gone]
    return Hosted(fields, taken, dropped)


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


def noted(call: Call, dropped: list[str], *, strict: bool) -> None:
    """Warns of what stayed behind. InvalidRequest where nothing may."""
    if dropped and strict:
        what = ", ".join(dropped)
        raise InvalidRequest(f"the provider takes no {what}", param=dropped[0].partition(":")[0])
    warnings = call.record.warnings
    call.record.warnings = warnings + [each for each in dropped if each not in warnings]


def versioned(fields: Fields, version: str) -> Fields:
    """The body with the version of the API in it, unless the client gave one there."""
    return {"anthropic_version": Raw(msgspec.json.encode(version))} | fields


def error_body(kind: str, message: str) -> bytes:
    """An error in the words of the Messages API."""
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return msgspec.json.encode(error)
