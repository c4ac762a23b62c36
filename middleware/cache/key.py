"""What makes two calls equal, and which calls may be answered from a cache at all."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call, Caller, Headers
from gateway.dialect import Fields
from gateway.plugin import Site
from gateway.wire import decode, present

FORM = b"interlingua cache 1"
"""Part of every key: another way to make them, or to store an answer, needs another one."""
_DELIVERY = frozenset({"stream", "stream_options"})
"""Members that say how the answer is sent, not what it is."""
_PLAIN = frozenset({"model", "messages", "max_tokens", "temperature", "top_p"}) | _DELIVERY
"""Members that mean the same in every dialect."""
_UNTOLD = frozenset({
    "n", "logprobs", "top_logprobs", "modalities", "audio", "store", "background", "container",
    "context_management", "mcp_servers", "previous_response_id",
})  # fmt: skip
"""Members that ask for what no stored answer holds, or for more than an answer."""
_TOOLS = frozenset({"tools", "functions", "web_search_options", "plugins"})
_NOTHING = frozenset({b"null", b"false", b"[]", b"{}", b'["text"]'})
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


class _Tool(Struct):
    type: str | None = None


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

    def tenant(self, caller: Caller) -> bytes:
        """Whose answers the caller sees and may clear."""
        whose = b"shared" if self._shared else b"caller " + caller.name.encode()
        return sha256(whose).digest()[:16]

    def key(self, call: Call) -> Key:
        """The key of a call that was routed."""
        tenant = self.tenant(call.caller)
        own = call.caller.credential
        parts = [FORM, tenant, own.digest() if own else b"", _tongue(call)]
        if not self._shared:
            parts.append(call.caller.name.encode())
        parts.append(b"%d targets" % len(call.targets))
        for target in call.targets:
            parts += [str(target).encode(), self._upstreams.get(target.provider, b"")]
        sent = self._sent_on(call)
        parts.append(b"%d headers" % len(sent))
        for header in sent:
            parts += header
        for name in sorted(call.fields):
            if name not in _DELIVERY:
                parts += [name.encode("utf-8", "replace"), bytes(call.fields[name])]
        return Key(tenant, _digest(parts))

    def _sent_on(self, call: Call) -> Headers:
        """The client's headers that an upstream gets to see and may heed."""
        prefixes = tuple(
            prefix for target in call.targets for prefix in self._forwarded.get(target.provider, ())
        )
        if not prefixes:
            return []
        return sorted(
            header
            for header in call.headers
            if header[0].startswith(prefixes) and not header[0].startswith(_TRACES)
        )


def _digest(parts: Iterable[bytes]) -> bytes:
    """One digest of all parts; their lengths keep two lists of parts from reading the same."""
    made = sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


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
    for name, value in headers:
        if name == b"x-gateway-cache" and value.strip().lower() == b"bypass":
            return True
        if name == b"cache-control":
            wishes = {wish.strip().lower() for wish in value.split(b",")}
            if wishes & {b"no-store", b"no-cache"}:
                return True
    return False


def storable(fields: Fields, *, tools: bool) -> bool:
    """Whether the answer to such a request can be stored whole."""
    for name in _UNTOLD & fields.keys():
        value = bytes(fields[name])
        if value not in _NOTHING and not (name in ("n", "top_logprobs") and value in _ONE_CHOICE):
            return False
    asked = [name for name in _TOOLS & fields.keys() if bytes(fields[name]) not in _NOTHING]
    if not asked:
        return True
    return tools and all(name in ("tools", "functions") and _own(fields[name]) for name in asked)


def _own(tools: Raw) -> bool:
    """Whether the client runs all of these tools: what an upstream's tools find is soon old."""
    if not present(tools):
        return True
    try:
        kinds = decode(tools, list[_Tool])
    except msgspec.MsgspecError:
        return False
    return all(kind.type in (None, "function", "custom") for kind in kinds)
