"""What a link of the chain is, and how a dotted path becomes one."""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gateway.call import Call, Target
from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.neutral.seal import Seal
from gateway.reply import Reply
from gateway.secret import Secret
from gateway.workers.peers import NO_PEERS, Peers

if TYPE_CHECKING:
    from gateway.config.load import Config

Next = Callable[[Call], Awaitable[Reply]]
"""The rest of the chain."""


class ProviderStatus(Struct, frozen=True, kw_only=True):
    """How a provider stands, without asking its upstream. No key is in it."""

    base_url: str = ""
    passthrough: bool = False
    """Clients bring their own keys."""
    key_hashes: list[str] = []
    """The first eight digits of each key's SHA-256."""
    resting: list[float] = []
    """Seconds that each key which rests still has to."""
    refused: bool = False
    """Every key rests because the upstream refused it."""
    connections: Mapping[str, int] = {}
    """Connections that are open, idle and busy."""


class Preview(Struct, frozen=True, kw_only=True):
    """A request that was not sent: no credential is in it."""

    url: str
    headers: list[str]
    """The names of its headers."""
    body: bytes
    key: Literal["gateway", "client", "none", "missing"]
    """Whose key it would carry; missing where the client had to bring one."""


class Provider(Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """An adapter to one upstream account; its fields are the options in [providers.NAME].

    `dialects` and `capability` say what the upstream speaks and takes.
    """

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """The dialects the upstream speaks, best first."""
        raise NotImplementedError

    def bind(self, name: str, runtime: "Runtime") -> None:
        """Called once, when the gateway is built; `name` is the operator's. Raises ConfigError."""

    def capability(self, model: str) -> Capability:
        """What a model of this provider takes."""
        return Capability()

    async def __call__(self, call: Call) -> Reply:
        """Answer a call whose `target` is this provider. Raises UpstreamError, Unavailable."""
        raise NotImplementedError

    def preview(self, call: Call) -> Preview | None:
        """The request that a call would become; None where no request would be sent."""
        return None

    async def count(self, call: Call) -> Reply | None:
        """The upstream's own count of a call's input; None where it has none. GatewayError."""
        return None

    async def fetch_stored(
        self, method: str, path: str, credential: Secret | None
    ) -> tuple[int, bytes] | None:
        """Status and JSON of what the upstream keeps at a path; None where it keeps nothing.

        `credential` is the client's own, for upstreams that are called with it. GatewayError.
        """
        return None

    async def models(self, credential: Secret | None) -> bytes | None:
        """The upstream's list of models as it wrote it; None where it has none.

        `credential` is the client's own, for upstreams that are called with it. GatewayError.
        """
        return None

    def status(self) -> ProviderStatus:
        """How the provider stands, without asking its upstream."""
        return ProviderStatus()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The provider's life: entered before the first call, left after the last."""
        yield


class Runtime(Struct):
    """What the links of one gateway share: its configuration, its providers, its seal."""

    config: "Config"
    providers: Mapping[str, Provider]
    seal: Seal
    peers: Peers = NO_PEERS
    """The other workers, for what has to hold in all of them."""

    def target(self, provider: str, model: str) -> Target:
        """The target of that name; KeyError where there is no such provider."""
        found = self.providers[provider]
        capability = found.capability(model)
        dialects = _serving(found.dialects, capability.dialects)
        retries = getattr(found, "max_retries", None)
        return Target(provider, model, dialects, capability, None, retries)


def _serving(spoken: tuple[Dialect, ...], names: tuple[str, ...]) -> tuple[Dialect, ...]:
    """Those of the provider's dialects that serve a model; all where the record names none."""
    if not names:
        return spoken
    return tuple(each for name in names for each in spoken if each.name == name) or spoken


class Middleware(Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A link of the chain. Its fields are the operator's options in its [[middleware]] table."""

    def bind(self, runtime: Runtime) -> None:
        """Called once, when the gateway is built. ConfigError where the options cannot work."""

    def __call__(self, call: Call, next: Next) -> Awaitable[Reply]:
        """Answer the call, or pass a copy on and return what comes back, either one changed.

        Mostly an `async def`; a link that only changes the call returns what `next` does.
        """
        raise NotImplementedError

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The link's life: entered before the first call, left after the last."""
        yield


class LoadError(Exception):
    """A dotted path that leads to no class."""


def load(path: str) -> type:
    """The class at "package.module:Class". LoadError tells "not found" from "its import failed"."""
    module_name, _, class_name = path.partition(":")
    if not module_name or not class_name:
        raise LoadError(f'"{path}" must have the form "package.module:Class"')
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as fault:
        if fault.name and (module_name == fault.name or module_name.startswith(f"{fault.name}.")):
            raise LoadError(f'no module named "{fault.name}"') from None
        raise LoadError(
            f'importing "{module_name}" failed: no module named "{fault.name}"'
        ) from fault
    except ImportError as fault:
        raise LoadError(f'importing "{module_name}" failed: {fault}') from fault
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise LoadError(f'"{module_name}" has no class "{class_name}"')
    return found


def chain(middlewares: Sequence[Middleware], last: Next) -> Next:
    """The links in order, the last answering what no other did."""
    rest = last
    for link in reversed(middlewares):
        rest = partial(link.__call__, next=rest)
    return rest
