"""What the gateway's own endpoints look at, and the few things several of them say."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct
from starlette.routing import Route

from gateway.admin.lists import Lists
from gateway.asgi import Edge
from gateway.assemble import short_name
from gateway.call import Target
from gateway.callers import Callers
from gateway.errors import GatewayError
from gateway.peers import ALONE, Peers
from gateway.plugin import Middleware, Site


class Found(Protocol):
    """A model's way."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where a call for it goes, the first choice first."""

    @property
    def steps(self) -> tuple[str, ...]:
        """What led there, in words."""


@runtime_checkable
class Router(Protocol):
    """A link of the chain that can say where a model goes."""

    def resolve(self, model: str) -> Found:
        """The model's way. Raises NotFound."""


class Batching(Protocol):
    """What works off batches."""

    async def figures(self) -> dict[str, object]:
        """Its engine, the batches that have not ended, and the items in flight."""


def way(links: Sequence[Middleware], model: str) -> Found | None:
    """The model's way; None where no link of the chain can say. Raises NotFound."""
    router = next((link for link in links if isinstance(link, Router)), None)
    return router.resolve(model) if router is not None else None


class Inside(Struct):
    """A built gateway, seen from within."""

    site: Site
    edge: Edge
    links: list[Middleware]
    callers: Callers
    lists: Lists
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


def timestamp(seconds: float | None = None) -> str:
    """A moment, or now, as RFC 3339."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
