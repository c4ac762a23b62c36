"""What the gateway's own endpoints look at, and the few things several of them say."""

import importlib.metadata
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from msgspec import Struct

from gateway.admin.lists import Lists
from gateway.asgi import Edge
from gateway.assemble import short_name
from gateway.callers import Callers
from gateway.plugin import Middleware, Site


class Inside(Struct):
    """A built gateway, seen from within."""

    site: Site
    edge: Edge
    links: list[Middleware]
    callers: Callers
    lists: Lists
    paths: list[str] = []
    """The paths of all routes."""

    @property
    def default(self) -> str:
        """The provider of models whose name says nothing of one."""
        return self.site.config.routing.default_provider

    def has_link(self, name: str) -> bool:
        """Whether the chain has a built-in link of that name."""
        return any(short_name(link) == name for link in self.links)

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


@cache
def version() -> str:
    """The version of this program: of the installed package, or of the checkout it runs from."""
    try:
        return importlib.metadata.version("interlingua")
    except importlib.metadata.PackageNotFoundError:
        project = Path(__file__).parents[2] / "pyproject.toml"
        found = tomllib.loads(project.read_text()) if project.exists() else {}
        return str(found.get("project", {}).get("version", "0"))
