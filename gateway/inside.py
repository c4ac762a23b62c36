"""What the gateway's own endpoints look at, and the few things several of them say."""

from collections.abc import Iterator

from msgspec import Struct
from starlette.routing import Route

from gateway.config.builtins import short_name
from gateway.edge.callers import Callers
from gateway.edge.exchange import Edge
from gateway.errors import GatewayError
from gateway.plugin import Middleware, Site
from gateway.roles import Batching, way
from gateway.workers.peers import ALONE, Peers


class Inside(Struct):
    """A built gateway, seen from within."""

    site: Site
    edge: Edge
    links: list[Middleware]
    callers: Callers
    peers: Peers = ALONE
    routes: list[Route] = []
    """Those of the application."""
    batches: Batching | None = None
    """What works off batches, where [batch] turns it on."""

    @property
    def paths(self) -> list[str]:
        """The paths of all routes."""
        return [route.path for route in self.routes]

    @property
    def default(self) -> str:
        """The provider of models whose name says nothing of one."""
        return self.site.config.routing.default_provider

    def has_link(self, name: str) -> bool:
        """Whether the chain has a built-in link of that name."""
        return any(short_name(link) == name for link in self.links)

    def name_of(self, provider: str, model: str) -> str:
        """The shortest name by which a call reaches that model, whatever aliases there are."""
        full = f"{provider}:{model}"
        for name in (model, full) if provider == self.default else (full,):
            if self._leads(name, provider, model):
                return name
        return f"!{full}"

    def _leads(self, name: str, provider: str, model: str) -> bool:
        try:
            found = way(self.links, name)
        except GatewayError:
            return False
        if found is None:
            return True
        first = found.targets[0]
        return (first.provider, first.model) == (provider, model)

    def aliases(self) -> Iterator[tuple[str, str, list[str]]]:
        """Every alias: the provider it belongs to, its name, its targets as they were given."""
        for name, targets in self.site.config.aliases.items():
            yield self.place(targets[0])[0], name, list(targets)
        for owner, provider in self.site.providers.items():
            own = getattr(provider, "aliases", {})
            for name, given in own.items():
                yield owner, name, [given] if isinstance(given, str) else list(given)

    def place(self, target: str, owner: str = "") -> tuple[str, str]:
        """Provider and model that a target of an alias names."""
        provider, colon, model = target.removeprefix("!").partition(":")
        if colon and provider in self.site.providers:
            return provider, model
        return owner or self.default, target.removeprefix("!")
