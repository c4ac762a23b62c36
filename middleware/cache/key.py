"""What makes two calls equal, and which calls may be answered from a cache at all."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Caller, Headers, Target
from gateway.dialect import Fields
from gateway.plugin import Site
from gateway.wire.raw_json import decode, present

FORM = b"interlingua cache 2"
"""Part of every key: another way to make them, or to store an answer, needs another one."""
_DELIVERY = frozenset({"stream", "stream_options"})
"""Members that say how the answer is sent, not what it is."""
_PLAIN = frozenset({"model", "messages", "max_tokens", "temperature", "top_p"}) | _DELIVERY
"""Members that mean the same in every dialect."""
_UNTOLD = frozenset({
    "n", "logprobs", "top_logprobs", "modalities", "audio", "store", "background", "container",
    "context_management", "mcp_servers", "previous_response_id", "conversation",
})  # fmt: skip
"""Members that ask for what no stored answer holds, or for more than an answer."""
_TOOLS = frozenset({"tools", "functions", "web_search_options", "plugins"})
_SPECIAL = _UNTOLD | _TOOLS
_NOTHING = frozenset({b"null", b"false", b"[]", b"{}", b'["text"]'})
_WISHES = frozenset({b"x-gateway-cache", b"cache-control"})
_REMEMBERED = 1024
_UNTYPED = Raw(b"null")
_ONE_CHOICE = (b"1", b"0")
_TRACES = (b"idempotency-key", b"http-referer", b"x-title", b"x-app", b"x-claude-code-")
"""Forwarded headers that only say who asks, or which try it is."""


class Key(Struct, frozen=True):
    """Where an answer is kept: whose it is, and the digest of all that the answer depends on."""

    tenant: bytes
    digest: bytes


class _Said(Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: str


_GOOGLES = frozenset({"functionDeclarations", "function_declarations"})
"""The one member of a tool without a type and a name that says the client runs it."""


_packed = msgspec.msgpack.Encoder().encode
_decode_plain = msgspec.json.Decoder(list[_Said]).decode


class Keys:
    """Makes keys for the calls of one gateway."""

    def __init__(self, site: Site, *, shared: bool) -> None:
        self._shared = shared
        providers = site.providers
        # An upstream that is configured otherwise is another upstream; a repr shows no secret.
        self._upstreams = {
            name: sha256(repr(providers[name]).encode()).digest() for name in providers
        }
        self._forwarded: dict[str, tuple[bytes, ...]] = {
            name: tuple(getattr(providers[name], "forwarded", ())) for name in providers
        }

        self._routes: dict[int, _Route] = {}

    def tenant(self, caller: Caller) -> bytes:
        """Whose answers the caller sees and may clear."""
        return _tenant("" if self._shared else f"caller {caller.name}")

    def key(self, call: Call) -> Key:
        """The key of a call that was routed."""
        tenant, fields = self.tenant(call.caller), call.fields
        own = call.caller.credential
        route = self._routes.get(id(call.targets))
        if route is None or route.targets is not call.targets:
            route = self._remember(call.targets)
        parts = [
            FORM,
            tenant,
            "" if self._shared else call.caller.name,
            own.digest() if own else b"",
            _tongue(call),
            route.digest,
            _sent_on(call, route.forwarded) if route.forwarded else [],
            [(name, bytes(fields[name])) for name in sorted(fields) if name not in _DELIVERY],
        ]
        return Key(tenant, _digest(parts))

    def _remember(self, targets: tuple[Target, ...]) -> "_Route":
        parts: list[object] = []
        forwarded: list[bytes] = []
        for target in targets:
            parts += [str(target).encode(), self._upstreams.get(target.provider, b"")]
            forwarded += self._forwarded.get(target.provider, ())
        if len(self._routes) >= _REMEMBERED:
            self._routes.clear()
        route = self._routes[id(targets)] = _Route(targets, _digest(parts), tuple(forwarded))
        return route


class _Route(Struct, frozen=True):
    """What the targets of a call add to its key; the alias middleware keeps each tuple of them."""

    targets: tuple[Target, ...]
    digest: bytes
    forwarded: tuple[bytes, ...]


@lru_cache(maxsize=_REMEMBERED)
def _tenant(whose: str) -> bytes:
    return sha256(whose.encode()).digest()[:16]


def _sent_on(call: Call, prefixes: tuple[bytes, ...]) -> Headers:
    """The client's headers that an upstream gets to see and may heed."""
    return sorted(
        header
        for header in call.headers
        if header[0].startswith(prefixes) and not header[0].startswith(_TRACES)
    )


def _digest(parts: Sequence[object]) -> bytes:
    """One digest of all parts; as MessagePack, no two lists of parts read the same."""
    return blake2b(_packed(parts), digest_size=32).digest()


def _tongue(call: Call) -> bytes:
    """The dialect whose words the request has to be read by: none for one that all read alike."""
    fields = call.fields
    if not fields.keys() <= _PLAIN:
        return call.dialect.name.encode()
    try:
        said = _decode_plain(fields["messages"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return call.dialect.name.encode()
    # Words put into the model's mouth are continued in one dialect and answered in another.
    return b"plain" if said and said[-1].role == "user" else call.dialect.name.encode()


def opted_out(headers: Headers) -> bool:
    """Whether the client wants neither a stored answer nor its own stored."""
    for name, value in [header for header in headers if header[0] in _WISHES]:
        if name == b"x-gateway-cache" and value.strip().lower() == b"bypass":
            return True
        if name == b"cache-control":
            wishes = {wish.strip().lower() for wish in value.split(b",")}
            if wishes & {b"no-store", b"no-cache"}:
                return True
    return False


def storable(fields: Fields, *, tools: bool) -> bool:
    """Whether the answer to such a request can be stored whole."""
    special = [name for name in fields if name in _SPECIAL]
    if not special:
        return True
    for name in [name for name in special if name in _UNTOLD]:
        value = bytes(fields[name])
        if value not in _NOTHING and not (name in ("n", "top_logprobs") and value in _ONE_CHOICE):
            return False
    asked = [name for name in special if name in _TOOLS and bytes(fields[name]) not in _NOTHING]
    if not asked:
        return True
    return tools and all(name in ("tools", "functions") and _own(fields[name]) for name in asked)


def _own(tools: Raw) -> bool:
    """Whether the client runs all of these tools: what an upstream's tools find is soon old."""
    if not present(tools):
        return True
    try:
        return all(_runs(tool) for tool in decode(tools, list[dict[str, Raw]]))
    except msgspec.MsgspecError:
        return False


def _runs(tool: dict[str, Raw]) -> bool:
    """Whether the client runs that tool itself."""
    kind = decode(tool.get("type", _UNTYPED), str | None)
    if kind is not None or "name" in tool:
        return kind in (None, "function", "custom")
    return tool.keys() <= _GOOGLES or "function" in tool
