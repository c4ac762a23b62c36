"""What endpoints may read of the gateway, and lookups that several of them share."""

from collections.abc import Iterator

from msgspec import Struct

from gateway.config.builtins import short_name
from gateway.edge.callers import Callers
from gateway.edge.exchange import Edge
from gateway.edge.operation import Operation
from gateway.errors import GatewayError
from gateway.plugin import Middleware, Runtime
from gateway.roles import BatchEngineStatus, resolve_model
from gateway.workers.peers import NO_PEERS, Peers


class GatewayView(Struct):
    """The parts of a built gateway."""

    runtime: Runtime
    edge: Edge
    links: list[Middleware]
    callers: Callers
    peers: Peers = NO_PEERS
    operations: list[Operation] = []
    """The table of endpoints."""
    batches: BatchEngineStatus | None = None
    """The engine of the batch APIs, if [batch] enables them."""

    def has_operation(self, name: str) -> bool:
        """Whether there is an endpoint that `GET /` lists under that name."""
        return any(operation.name == name for operation in self.operations)

    @property
    def default_provider(self) -> str:
        """The provider of model names without a provider's prefix."""
        return self.runtime.config.routing.default_provider

    def has_link(self, name: str) -> bool:
        """Whether the chain has a built-in link of that name."""
        return any(short_name(link) == name for link in self.links)

    def get_shortest_name(self, provider: str, model: str) -> str:
        """The shortest name under which calls reach that model, in spite of aliases."""
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
        """Every alias: its provider ("" for none), its name, its targets as configured."""
        for name, targets in self.runtime.config.aliases.items():
            yield self.split_target(targets[0])[0], name, list(targets)
        for owner, provider in self.runtime.providers.items():
            for name, given in provider.aliases.items():
                yield owner, name, [given] if isinstance(given, str) else list(given)

    def split_target(self, target: str, owner: str = "") -> tuple[str, str]:
        """The provider and the model of an alias's target."""
        provider, colon, model = target.removeprefix("!").partition(":")
        if colon and provider in self.runtime.providers:
            return provider, model
        return owner or self.default_provider, target.removeprefix("!")
