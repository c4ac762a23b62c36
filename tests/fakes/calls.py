"""Calls, targets and sites for tests of single links."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import msgspec

from gateway.call import Call, Headers, Record, Target
from gateway.config.load import Auth, Config, Key, Routing, Server
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.errors import GatewayError
from gateway.neutral.seal import Seal
from gateway.plugin import Provider, Runtime
from gateway.reply import Reply
from gateway.secret import Secret
from gateway.wire.raw_json import split_object


class NamedProvider(Provider):
    """A provider that only has a name and options."""

    aliases: dict[str, str | list[str]] = {}
    model_ids: list[str] = []
    slash_ids: bool = False

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return (CHAT,)


def runtime(
    *names: str,
    providers: Mapping[str, Provider] | None = None,
    aliases: dict[str, list[str]] | None = None,
    default: str = "",
    keys: list[Key] | None = None,
    strict: bool = False,
) -> Runtime:
    """A site with providers of those names."""
    config = Config(
        aliases=aliases or {},
        routing=Routing(default_provider=default),
        auth=Auth(keys=keys or []),
        server=Server(strict=strict),
    )
    found = dict(providers or {}) | {name: NamedProvider() for name in names}
    return Runtime(config, found, Seal(b"test"))


def make_call(
    body: dict[str, Any] | None = None,
    *,
    dialect: Dialect = CHAT,
    headers: Headers | None = None,
    targets: tuple[Target, ...] = (),
) -> Call:
    """A call with that body."""
    content = {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | (body or {})
    fields = split_object(msgspec.json.encode(content))
    made = Call(
        "req_test", dialect, content["model"], bool(content.get("stream")), fields, headers or [],
        Record(monotonic()),
    )  # fmt: skip
    return made.with_targets(targets) if targets else made


def make_target(name: str = "up", model: str = "m", dialect: Dialect = CHAT) -> Target:
    """A target of that provider."""
    return Target(name, model, (dialect,))


def make_reply(body: bytes = b"{}") -> Reply:
    """A whole answer."""
    return Reply(200, CHAT, body)


def make_error_reply(status: int, error: GatewayError) -> Reply:
    """An upstream's error answer."""
    return Reply(status, CHAT, b'{"error":{}}', [], error)


def make_key(text: str, name: str = "") -> Key:
    """A configured client key."""
    return Key(key=Secret(text), name=name)
