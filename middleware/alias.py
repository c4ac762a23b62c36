"""What a client calls a model, and where that goes."""

import difflib
import re

from msgspec import Struct

from gateway.aliases import SHIPPED
from gateway.call import Call, Target
from gateway.errors import NotFound
from gateway.faults import ConfigError, Fault
from gateway.plugin import Middleware, Next, Site
from gateway.reply import Reply

CHAIN_LIMIT = 10
"""Aliases that may lead to aliases."""
REMEMBERED = 4096
"""Model names whose way is kept; a client can make up more."""


class Found(Struct, frozen=True):
    """A model's way: the targets in the order they are tried, and each step that led there."""

    targets: tuple[Target, ...]
    steps: tuple[str, ...]


class Alias(Middleware):
    """Resolves the model: exact id, `!literal`, `provider:model`, alias, part of an alias, default.

    An alias is compared without regard to case, and hyphen and underscore are one.
    """

    substrings: bool = True
    """A model name that contains an alias is taken for it: "my-fast-model" for "fast"."""

    def bind(self, site: Site) -> None:
        """Takes the tables of aliases. ConfigError for a cycle or an unknown provider."""
        self._site = site
        self._default = site.config.routing.default_provider
        self._aliases: dict[str, list[str]] = dict(site.config.aliases)
        self._folded = {_fold(name): name for name in self._aliases}
        self._own: dict[str, dict[str, list[str]]] = {
            name: {
                alias: [
                    target if ":" in target else f"{name}:{target}" for target in _list(targets)
                ]
                for alias, targets in getattr(provider, "aliases", {}).items()
            }
            for name, provider in site.providers.items()
        }
        self._known: dict[str, Found] = {}
        faults = [fault for name in self._aliases if (fault := self._fault(name)) is not None]
        if faults:
            raise ConfigError(faults)

    async def __call__(self, call: Call, next: Next) -> Reply:
        """Passes the call on with its targets; NotFound where the model leads nowhere."""
        found = self._known.get(call.model) or self._remember(call.model)
        target = found.targets[0]
        call.record.provider, call.record.model = target.provider, target.model
        return await next(call.with_targets(found.targets))

    def explain(self, model: str) -> list[str]:
        """Every step of the model's way, in words. Raises NotFound."""
        return list(self.resolve(model).steps)

    def resolve(self, model: str) -> Found:
        """The model's way. Raises NotFound naming what is known."""
        steps: list[str] = []
        targets = self._follow(model, steps, 0)
        if not targets:
            raise NotFound(self._unknown(model), code="model_not_found", param="model")
        return Found(tuple(targets), tuple(steps))

    def _remember(self, model: str) -> Found:
        found = self.resolve(model)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[model] = found
        return found

    def _follow(self, model: str, steps: list[str], depth: int) -> list[Target]:
        if depth > CHAIN_LIMIT:
            steps.append(f'"{model}": more than {CHAIN_LIMIT} aliases lead to each other')
            return []
        if model.startswith("!"):
            steps.append(f'"{model}" is literal: no alias is looked up')
            return self._plain(model[1:], steps)
        exact = self._exact(model)
        if exact:
            steps.append(f'"{model}" is a model id of provider "{exact.provider}"')
            return [exact]
        provider, name = self._prefix(model)
        meant = self._alias(name, provider)
        if meant is None:
            return self._plain(model, steps)
        alias, next_names = meant
        steps.append(f'"{model}" is alias "{alias}" for {", ".join(next_names)}')
        # An alias that names itself means the model of that name, not another turn of the wheel.
        return [
            target
            for one in next_names
            for target in (
                self._plain(one, steps)
                if _fold(one) == _fold(model) or _fold(one.partition(":")[2]) == _fold(alias)
                else self._follow(one, steps, depth + 1)
            )
        ]

    def _exact(self, model: str) -> Target | None:
        for name, provider in self._site.providers.items():
            if model in getattr(provider, "model_ids", ()):
                return self._site.target(name, model)
        return None

    def _prefix(self, model: str) -> tuple[str, str]:
        """The provider that the name itself names, if any, and the rest."""
        provider, colon, rest = model.partition(":")
        if colon and provider in self._site.providers:
            return provider, rest
        return "", model

    def _alias(self, name: str, provider: str) -> tuple[str, list[str]] | None:
        """The alias that the name is, else the longest one that it contains."""
        folded = _fold(name)
        tables = [self._own.get(provider, {})] if provider else self._tables()
        for table in tables:
            for alias, targets in table.items():
                if _fold(alias) == folded:
                    return alias, targets
        if not self.substrings:
            return None
        parts = [
            (len(_fold(alias)), -place, alias, targets)
            for place, table in enumerate(tables)
            for alias, targets in table.items()
            if _fold(alias) in folded and not self._is_shipped(alias, targets)
        ]
        if not parts:
            return None
        parts.sort(key=lambda part: (-part[0], -part[1], part[2]))
        return parts[0][2], parts[0][3]

    def _is_shipped(self, alias: str, targets: list[str]) -> bool:
        # "big" and "small" as shipped are for those who ask for them: "small" is part of many ids.
        model = targets[0].partition(":")[2]
        return any(shipped.get(alias) == model for shipped in SHIPPED.values())

    def _tables(self) -> list[dict[str, list[str]]]:
        own = dict(self._own)
        first = own.pop(self._default, {})
        return [self._aliases, first, *(own[name] for name in sorted(own))]

    def _plain(self, model: str, steps: list[str]) -> list[Target]:
        """The target of a name that is no alias."""
        provider, name = self._prefix(model)
        if provider:
            steps.append(f'"{model}" names provider "{provider}"')
        elif not provider and (found := self._slash(model)):
            provider, name = found
            steps.append(f'"{model}" names provider "{provider}"')
        elif _claims_provider(model):
            steps.append(f'"{model}" names a provider that is not configured')
            return []
        elif self._default in self._site.providers:
            provider, name = self._default, model
            steps.append(f'"{model}" names no provider: the default provider "{provider}"')
        if not provider or not name:
            steps.append(f'"{model}" leads nowhere')
            return []
        return [self._site.target(provider, name)]

    def _slash(self, model: str) -> tuple[str, str] | None:
        """`provider/model`, where that is a provider here and the default takes no such ids."""
        provider, slash, rest = model.partition("/")
        default = self._site.providers.get(self._default)
        if slash and provider in self._site.providers and not getattr(default, "slash_ids", False):
            return provider, rest
        return None

    def _unknown(self, model: str) -> str:
        providers = ", ".join(sorted(self._site.providers))
        aliases = sorted(self._aliases)
        provider, colon, _ = model.partition(":")
        if colon:
            near = difflib.get_close_matches(provider, self._site.providers, 1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            return f'Unknown provider "{provider}". Configured providers: {providers}.{hint}'
        near = difflib.get_close_matches(model, aliases, 1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        known = f" Aliases: {', '.join(aliases[:20])}." if aliases else ""
        return (
            f'Unknown model "{model}": it is no alias, names no provider (as in "provider:model") '
            f"and there is no default provider. Providers: {providers}.{known}{hint}"
        )

    def _fault(self, name: str) -> Fault | None:
        steps: list[str] = []
        if self._follow(name, steps, 0):
            return None
        return Fault(path=f"aliases.{name}", message=steps[-1])


def _list(targets: str | list[str]) -> list[str]:
    return [targets] if isinstance(targets, str) else targets


def _fold(name: str) -> str:
    return name.lower().replace("_", "-")


def _claims_provider(model: str) -> bool:
    # "provider:model" with a plain word first; ids such as "ft:gpt-4o:org" keep their colons with
    # a default provider only when they are written "!ft:...".
    return re.fullmatch(r"[A-Za-z][\w.-]*:.+", model) is not None
