"""What makes two calls equal, and which calls may be answered from a cache at all."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Caller, Headers, Target
from gateway.dialect import Fields
from gateway.plugin import Runtime
from gateway.wire.raw_json import decode, present

KEY_VERSION = b"interlingua cache 2"
"""Part of every key: another way to make them, or to store an answer, needs another one."""
_DELIVERY_MEMBERS = frozenset({"stream", "stream_options"})
"""Members that say how the answer is sent, not what it is."""
_COMMON_MEMBERS = (
    frozenset({"model", "messages", "max_tokens", "temperature", "top_p"}) | _DELIVERY_MEMBERS
)
"""Members that mean the same in every dialect."""
_UNCACHEABLE_MEMBERS = frozenset({
    "n", "logprobs", "top_logprobs", "modalities", "audio", "store", "background", "container",
    "context_management", "mcp_servers", "previous_response_id", "conversation",
})  # fmt: skip
"""Members that ask for what no stored answer holds, or for more than an answer."""
_TOOL_MEMBERS = frozenset({"tools", "functions", "web_search_options", "plugins"})
_RESTRICTED_MEMBERS = _UNCACHEABLE_MEMBERS | _TOOL_MEMBERS
_EMPTY_VALUES = frozenset({b"null", b"false", b"[]", b"{}", b'["text"]'})
_CONTROL_HEADERS = frozenset({b"x-gateway-cache", b"cache-control"})
_MEMO_SIZE = 1024
_NO_TYPE = Raw(b"null")
_ONE_CHOICE = (b"1", b"0")
_IGNORED_HEADERS = (b"idempotency-key", b"http-referer", b"x-title", b"x-app", b"x-claude-code-")
"""Forwarded headers that only say who asks, or which try it is."""


class CacheKey(Struct, frozen=True):
    """Where an answer is kept: whose it is, and the digest of all that the answer depends on."""

    tenant: bytes
    digest: bytes


class _PlainMessage(Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: str


_GEMINI_TOOL_MEMBERS = frozenset({"functionDeclarations", "function_declarations"})
"""The one member of a tool without a type and a name that says the client runs it."""


_encode_parts = msgspec.msgpack.Encoder().encode
_decode_plain = msgspec.json.Decoder(list[_PlainMessage]).decode


class CacheKeys:
    """Makes keys for the calls of one gateway."""

    def __init__(self, runtime: Runtime, *, shared: bool) -> None:
        self._shared = shared
        providers = runtime.providers
        # An upstream that is configured otherwise is another upstream; a repr shows no secret.
        self._upstream_digests = {
            name: sha256(repr(providers[name]).encode()).digest() for name in providers
        }
        self._forwarded_headers: dict[str, tuple[bytes, ...]] = {
            name: tuple(getattr(providers[name], "forwarded", ())) for name in providers
        }

        self._routes: dict[int, _Route] = {}

    def make_tenant(self, caller: Caller) -> bytes:
        """Whose answers the caller sees and may clear."""
        return _hash_tenant("" if self._shared else f"caller {caller.name}")

    def make_key(self, call: Call) -> CacheKey:
        """The key of a call that was routed."""
        tenant, fields = self.make_tenant(call.caller), call.fields
        own = call.caller.credential
        route = self._routes.get(id(call.targets))
        if route is None or route.targets is not call.targets:
            route = self._remember_route(call.targets)
        parts = [
            KEY_VERSION,
            tenant,
            "" if self._shared else call.caller.name,
            own.digest() if own else b"",
            request_dialect(call),
            route.digest,
            _select_forwarded(call, route.forwarded) if route.forwarded else [],
            [
                (name, bytes(fields[name]))
                for name in sorted(fields)
                if name not in _DELIVERY_MEMBERS
            ],
        ]
        return CacheKey(tenant, _hash_parts(parts))

    def _remember_route(self, targets: tuple[Target, ...]) -> "_Route":
        parts: list[object] = []
        forwarded: list[bytes] = []
        for target in targets:
            parts += [str(target).encode(), self._upstream_digests.get(target.provider, b"")]
            forwarded += self._forwarded_headers.get(target.provider, ())
        if len(self._routes) >= _MEMO_SIZE:
            self._routes.clear()
        route = self._routes[id(targets)] = _Route(targets, _hash_parts(parts), tuple(forwarded))
        return route


class _Route(Struct, frozen=True):
    """What the targets of a call add to its key; the alias middleware keeps each tuple of them."""

    targets: tuple[Target, ...]
    digest: bytes
    forwarded: tuple[bytes, ...]


@lru_cache(maxsize=_MEMO_SIZE)
def _hash_tenant(whose: str) -> bytes:
    return sha256(whose.encode()).digest()[:16]


def _select_forwarded(call: Call, prefixes: tuple[bytes, ...]) -> Headers:
    """The client's headers that an upstream gets to see and may heed."""
    return sorted(
        header
        for header in call.headers
        if header[0].startswith(prefixes) and not header[0].startswith(_IGNORED_HEADERS)
    )


def _hash_parts(parts: Sequence[object]) -> bytes:
    """One digest of all parts; as MessagePack, no two lists of parts read the same."""
    return blake2b(_encode_parts(parts), digest_size=32).digest()


def request_dialect(call: Call) -> bytes:
    """The dialect whose words the request has to be read by: none for one that all read alike."""
    fields = call.fields
    if not fields.keys() <= _COMMON_MEMBERS:
        return call.dialect.name.encode()
    try:
        said = _decode_plain(fields["messages"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return call.dialect.name.encode()
    # Words put into the model's mouth are continued in one dialect and answered in another.
    return b"plain" if said and said[-1].role == "user" else call.dialect.name.encode()


def has_opted_out(headers: Headers) -> bool:
    """Whether the client wants neither a stored answer nor its own stored."""
    for name, value in [header for header in headers if header[0] in _CONTROL_HEADERS]:
        if name == b"x-gateway-cache" and value.strip().lower() == b"bypass":
            return True
        if name == b"cache-control":
            wishes = {wish.strip().lower() for wish in value.split(b",")}
            if wishes & {b"no-store", b"no-cache"}:
                return True
    return False


def is_storable(fields: Fields, *, tools: bool) -> bool:
    """Whether the answer to such a request can be stored whole."""
    special = [name for name in fields if name in _RESTRICTED_MEMBERS]
    if not special:
        return True
    for name in [name for name in special if name in _UNCACHEABLE_MEMBERS]:
        value = bytes(fields[name])
        if value not in _EMPTY_VALUES and not (
            name in ("n", "top_logprobs") and value in _ONE_CHOICE
        ):
            return False
    asked = [
        name
        for name in special
        if name in _TOOL_MEMBERS and bytes(fields[name]) not in _EMPTY_VALUES
    ]
    if not asked:
        return True
    return tools and all(
        name in ("tools", "functions") and _has_only_client_tools(fields[name]) for name in asked
    )


def _has_only_client_tools(tools: Raw) -> bool:
    """Whether the client runs all of these tools: what an upstream's tools find is soon old."""
    if not present(tools):
        return True
    try:
        return all(_is_client_tool(tool) for tool in decode(tools, list[dict[str, Raw]]))
    except msgspec.MsgspecError:
        return False


def _is_client_tool(tool: dict[str, Raw]) -> bool:
    """Whether the client runs that tool itself."""
    kind = decode(tool.get("type", _NO_TYPE), str | None)
    if kind is not None or "name" in tool:
        return kind in (None, "function", "custom")
    return tool.keys() <= _GEMINI_TOOL_MEMBERS or "function" in tool
