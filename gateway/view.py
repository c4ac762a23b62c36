"""What the gateway's own endpoints look at, and the few things several of them say."""

from collections.abc import Iterator

from msgspec import Struct
from starlette.routing import Route

from gateway.config.builtins import short_name
from gateway.edge.callers import Callers
from gateway.edge.exchange import Edge
from gateway.errors import GatewayError
from gateway.plugin import Middleware, Runtime
from gateway.roles import BatchEngineStatus, resolve_model
from gateway.workers.peers import NO_PEERS, Peers


class GatewayView(Struct):
    """A built gateway, seen from within."""

    runtime: Runtime
    edge: Edge
    links: list[Middleware]
    callers: Callers
    peers: Peers = NO_PEERS
    routes: list[Route] = []
    """Those of the application."""
    batches: BatchEngineStatus | None = None
    """What works off batches, where [batch] turns it on."""

    @property
    def paths(self) -> list[str]:
        """The paths of all routes."""
        return [route.path for route in self.routes]

    @property
    def default_provider(self) -> str:
        """The provider of models whose name says nothing of one."""
        return self.runtime.config.routing.default_provider

    def has_link(self, name: str) -> bool:
        """Whether the chain has a built-in link of that name."""
        return any(short_name(link) == name for link in self.links)

    def get_shortest_name(self, provider: str, model: str) -> str:
        """The shortest name by which a call reaches that model, whatever aliases there are."""
        full = f"{provider}:{model}"
        for name in (model, full) if provider == self.default_provider else (full,):
            if self._resolves_to(name, provider, model):
                return name
        return f"!{full}"

    def _resolves_to(self, name: str, provider: str, model: str) -> bool:
        try:
            found = resolve_model(self.links, name)
        except GatewayError:
            return False
        if found is None:
            return True
        first = found.targets[0]
        return (first.provider, first.model) == (provider, model)

    def iter_aliases(self) -> Iterator[tuple[str, str, list[str]]]:
        """Every alias: the provider it belongs to, its name, its targets as they were given."""
        for name, targets in self.runtime.config.aliases.items():
            yield self.split_target(targets[0])[0], name, list(targets)
        for owner, provider in self.runtime.providers.items():
            own = getattr(provider, "aliases", {})
            for name, given in own.items():
                yield owner, name, [given] if isinstance(given, str) else list(given)

    def split_target(self, target: str, owner: str = "") -> tuple[str, str]:
        """Provider and model that a target of an alias names."""
        provider, colon, model = target.removeprefix("!").partition(":")
        if colon and provider in self.runtime.providers:
            return provider, model
        return owner or self.default_provider, target.removeprefix("!")
