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
from providers.transport.beta_fields import drop_beta_field

REFUSED_FIELDS = ("service_tier",)
"""Members whose values are Anthropic's own."""
_CLIENT_BETAS = ("claude-code", "oauth")
"""Betas that ask for nothing: they name the client, or how it signed in at Anthropic."""
_HARMLESS_BETAS = ("fine-grained-tool-streaming", "prompt-caching-scope", "token-efficient-tools")
"""Betas without which the answer is the same, though it may cost more or come in larger pieces."""
_DROP_REASON = "unknown_to_host"


class HostedRequest(Struct, frozen=True):
    """A request as a host takes it, and what had to stay behind."""

    fields: Fields
    betas: list[str]
    dropped: list[str]
    """What the answer may be the poorer for."""
    dropped_harmless: list[str]
    """What it is not."""


def adapt_to_host(call: Call, without: Iterable[str]) -> HostedRequest:
    """The call's body without those members, its betas as the host calls them."""
    known = call.target.capability.betas if call.target is not None else None
    named = _map_host_betas(known) if known is not None else None
    fields = {name: raw for name, raw in call.fields.items() if name not in without}
    found = HostedRequest(fields, [], [], [])
    for beta in parse_betas(call.headers):
        name = beta if named is None else named.get(beta)
        if name is None:
            _drop_beta(found, beta)
        elif name not in found.betas:
            found.betas.append(name)
    gone = [name for name in REFUSED_FIELDS if fields.pop(name, None) is not None]
    found.dropped_harmless.extend(f"{name}:{_DROP_REASON}" for name in gone)
    return found


def _drop_beta(found: HostedRequest, beta: str) -> None:
    """Leaves a beta behind, and its half of the body."""
    half = drop_beta_field(found.fields, beta)
    if beta.startswith(_CLIENT_BETAS):
        return
    told = found.dropped_harmless if beta.startswith(_HARMLESS_BETAS) else found.dropped
    told.append(f"anthropic-beta:{beta}_{_DROP_REASON}")
    if half is not None:
        told.append(f"{half}:{_DROP_REASON}")


@lru_cache(maxsize=256)
def _map_host_betas(known: tuple[str, ...]) -> dict[str, str]:
    """The host's name of each beta that it knows."""
    pairs = (entry.partition("=") for entry in known)
    return {ours: theirs or ours for ours, _, theirs in pairs}


def parse_betas(headers: Headers) -> list[str]:
    """The betas of a client's headers, each once."""
    lists = (value.decode("latin-1") for name, value in headers if name == b"anthropic-beta")
    betas = (beta.strip() for each in lists for beta in each.split(","))
    return list(dict.fromkeys(beta for beta in betas if beta))


def report_dropped(call: Call, found: HostedRequest, *, strict: bool) -> None:
    """Warns of what stayed behind. InvalidRequest where nothing may that the answer needs."""
    dropped = found.dropped
    if dropped and strict:
        what = ", ".join(dropped)
        raise InvalidRequest(f"the provider takes no {what}", param=dropped[0].partition(":")[0])
    told, warnings = dropped + found.dropped_harmless, call.record.warnings
    call.record.warnings = warnings + [each for each in told if each not in warnings]


def add_api_version(fields: Fields, version: str) -> Fields:
    """The body with the version of the API in it, unless the client gave one there."""
    return {"anthropic_version": Raw(msgspec.json.encode(version))} | fields


def write_error_body(kind: str, message: str) -> bytes:
    """An error in the words of the Messages API."""
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return msgspec.json.encode(error)
