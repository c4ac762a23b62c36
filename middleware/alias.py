"""What a client calls a model, and where that goes."""

import difflib
import re
from collections.abc import Awaitable, Sequence

import msgspec
from msgspec import Struct

from gateway.aliases import SHIPPED, Meant, Names
from gateway.call import Call, Target
from gateway.config.decode import join
from gateway.config.environment import WORDS
from gateway.config.faults import ConfigError, Fault
from gateway.config.load import fold
from gateway.errors import NotFound
from gateway.plugin import Middleware, Next, Runtime
from gateway.reply import Reply

CHAIN_LIMIT = 10
"""Aliases that may lead to aliases."""
MAX_CACHED_MODELS = 4096
"""Model names whose way is kept; a client can make up more."""


OwnedAliases = list[tuple[str, dict[str, list[str]]]]
"""Tables of aliases, each with the provider or the profile that it belongs to, or ""."""


class ResolvedModel(Struct, frozen=True):
    """A model's way: the targets in the order they are tried, and each step that led there."""

    targets: tuple[Target, ...]
    steps: tuple[str, ...]


class Alias(Middleware):
    """Resolves the model: exact id, `!literal`, `provider:model`, alias, part of an alias, default.

    An alias is compared without regard to case, and hyphen and underscore are one. `profile:model`
    is the model, the profile's aliases before all others.
    """

    substrings: bool = True
    """A model name that contains an alias is taken for it: "my-fast-model" for "fast"."""

    def bind(self, runtime: Runtime) -> None:
        """Takes the tables of aliases. ConfigError for a cycle or an unknown provider."""
        self._runtime = runtime
        self._default = runtime.config.routing.default_provider
        self._aliases: dict[str, list[str]] = dict(runtime.config.aliases)
        self._profiles = {fold(name): each for name, each in runtime.config.profiles.items()}
        self._default_profile = fold(runtime.config.routing.default_profile)
        self._provider_aliases: dict[str, dict[str, list[str]]] = {
            name: {
                alias: [self._qualify_target(target, name) for target in _as_list(targets)]
                for alias, targets in getattr(provider, "aliases", {}).items()
            }
            for name, provider in runtime.providers.items()
        }
        origins = runtime.config.source.origins
        self._env_aliases = {
            word
            for word, variable in WORDS.items()
            if origins.get(f"aliases.{word}") == f"env {variable}"
        }
        own = sorted(self._provider_aliases, key=lambda name: (name != self._default, name))
        self._names = self._make_names(
            [("", self._aliases), *((each, self._provider_aliases[each]) for each in own)]
        )
        self._provider_names = {
            name: self._make_names([(name, table)])
            for name, table in self._provider_aliases.items()
        }
        self._profile_names = {
            name: self._make_names([(name, each.aliases)]) for name, each in self._profiles.items()
        }
        self._model_ids: dict[str, str] = {}
        for name, provider in runtime.providers.items():
            for model in getattr(provider, "model_ids", ()):
                self._model_ids.setdefault(model, name)
        self._resolved: dict[str, ResolvedModel] = {}
        asked = [(name, join("aliases", name)) for name in self._aliases]
        for profile, each in runtime.config.profiles.items():
            at = f"{join('profiles', profile)}.aliases"
            asked += [(f"{profile}:{name}", join(at, name)) for name in each.aliases]
        faults = [fault for name, at in asked if (fault := self._find_fault(name, at)) is not None]
        if faults:
            raise ConfigError(faults)

    def __call__(self, call: Call, next: Next) -> Awaitable[Reply]:
        """Passes the call on with its targets; NotFound where the model leads nowhere."""
        found = self._resolved.get(call.model) or self._resolve_cached(call.model)
        target = found.targets[0]
        call.record.provider, call.record.model = target.provider, target.model
        return next(call.with_targets(found.targets))

    def resolve(self, model: str) -> ResolvedModel:
        """The model's way. Raises NotFound naming what is known."""
        steps: list[str] = []
        targets = self._resolve_targets(model, steps)
        if not targets:
            raise NotFound(self._describe_unknown(model), code="model_not_found", param="model")
        return ResolvedModel(tuple(targets), tuple(steps))

    def _resolve_cached(self, model: str) -> ResolvedModel:
        found = self.resolve(model)
        if len(self._resolved) >= MAX_CACHED_MODELS:
            self._resolved.clear()
        self._resolved[model] = found
        return found

    def _resolve_targets(self, model: str, steps: list[str]) -> list[Target]:
        """The targets of a name as a client sends it."""
        if self._default_profile and ":" not in model and not model.startswith("!"):
            return self._resolve_in_profile(self._default_profile, model, steps, 0)
        return self._follow_aliases(model, steps, 0)

    def _resolve_in_profile(
        self, profile: str, model: str, steps: list[str], depth: int
    ) -> list[Target]:
        """The targets of a name as a profile has it, with the profile's time."""
        timeout, retries = self._profiles[profile].timeout, self._profiles[profile].max_retries
        allowed = "" if timeout is None else f", whose calls have {timeout:g} s"
        steps.append(f'"{model}" is asked of profile "{profile}"{allowed}')
        targets = self._follow_aliases(model, steps, depth, profile)
        given = {"timeout": timeout, "retries": retries}
        own = {name: value for name, value in given.items() if value is not None}
        return [msgspec.structs.replace(each, **own) for each in targets] if own else targets

    def _follow_aliases(
        self, model: str, steps: list[str], depth: int, profile: str = ""
    ) -> list[Target]:
        if depth > CHAIN_LIMIT:
            steps.append(f'"{model}": more than {CHAIN_LIMIT} aliases lead to each other')
            return []
        if model.startswith("!"):
            steps.append(f'"{model}" is literal: no alias is looked up')
            return self._resolve_plain(model[1:], steps)
        exact = self._find_exact(model)
        if exact:
            steps.append(f'"{model}" is a model id of provider "{exact.provider}"')
            return [exact]
        provider, name = self._split_provider(model)
        prefix, colon, rest = model.partition(":")
        if not provider and colon and fold(prefix) in self._profiles:
            return self._resolve_in_profile(fold(prefix), rest, steps, depth)
        looked = [self._names]
        if provider:
            looked = [self._provider_names[provider]]
        elif profile:
            looked.insert(0, self._profile_names[profile])
        # A part of a name counts where a client wrote it: "haiku" for "claude-haiku" ends there.
        meant = _find_alias(name, looked, whole=depth > 0 or not self.substrings)
        if meant is None:
            return self._resolve_plain(model, steps)
        owner, alias, next_names = meant
        steps.append(f'"{model}" is alias "{alias}" for {", ".join(next_names)}')
        within = profile if owner == profile else ""
        return [
            target
            for one in next_names
            for target in (
                self._resolve_plain(one, steps)
                if self._names_itself(one, alias, owner)
                else self._follow_aliases(one, steps, depth + 1, within)
            )
        ]

    def _names_itself(self, target: str, alias: str, owner: str) -> bool:
        """Whether an alias stands for the model of its own name, not for another alias of it."""
        prefix, _ = self._split_provider(target)
        name = target.partition(":")[2] if prefix else target
        if fold(name) != fold(alias):
            return False
        return not prefix or owner == prefix or not self._provider_names[prefix].whole(fold(name))

    def _find_exact(self, model: str) -> Target | None:
        name = self._model_ids.get(model)
        return self._runtime.target(name, model) if name is not None else None

    def _split_provider(self, model: str) -> tuple[str, str]:
        """The provider that the name itself names, if any, and the rest."""
        provider, colon, rest = model.partition(":")
        if colon and provider in self._runtime.providers:
            return provider, rest
        return "", model

    def _make_names(self, tables: OwnedAliases) -> Names:
        return Names(tables, lambda alias, targets: not self._is_shipped(alias, targets))

    def _is_shipped(self, alias: str, targets: Sequence[str]) -> bool:
        # "big" and "small" as shipped are for those who ask for them: "small" is part of many ids.
        if fold(alias) in self._env_aliases:
            return True
        model = targets[0].partition(":")[2]
        return any(shipped.get(alias) == model for shipped in SHIPPED.values())

    def _qualify_target(self, target: str, provider: str) -> str:
        """A target of a provider's own alias, which is a model there unless it names another."""
        literal, bare = target.startswith("!"), target.removeprefix("!")
        prefix, colon, _ = bare.partition(":")
        if colon and (prefix in self._runtime.providers or fold(prefix) in self._profiles):
            return target
        return f"{'!' * literal}{provider}:{bare}"

    def _resolve_plain(self, model: str, steps: list[str]) -> list[Target]:
        """The target of a name that is no alias."""
        provider, name = self._split_provider(model)
        if provider:
            steps.append(f'"{model}" names provider "{provider}"')
        elif not provider and (found := self._find_slash_provider(model)):
            provider, name = found
            steps.append(f'"{model}" names provider "{provider}"')
        elif _claims_provider(model):
            steps.append(f'"{model}" names a provider that is not configured')
            return []
        elif self._default in self._runtime.providers:
            provider, name = self._default, model
            steps.append(f'"{model}" names no provider: the default provider "{provider}"')
        if not provider or not name:
            steps.append(f'"{model}" leads nowhere')
            return []
        return [self._runtime.target(provider, name)]

    def _find_slash_provider(self, model: str) -> tuple[str, str] | None:
        """`provider/model`, where that is a provider here and the default takes no such ids."""
        provider, slash, rest = model.partition("/")
        default = self._runtime.providers.get(self._default)
        if (
            slash
            and provider in self._runtime.providers
            and not getattr(default, "slash_ids", False)
        ):
            return provider, rest
        return None

    def _describe_unknown(self, model: str) -> str:
        providers = ", ".join(sorted(self._runtime.providers))
        aliases = sorted(self._aliases)
        provider, colon, _ = model.partition(":")
        if colon:
            near = difflib.get_close_matches(provider, self._runtime.providers, 1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            return f'Unknown provider "{provider}". Configured providers: {providers}.{hint}'
        near = difflib.get_close_matches(model, aliases, 1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        known = f" Aliases: {', '.join(aliases[:20])}." if aliases else ""
        return (
            f'Unknown model "{model}": it is no alias, names no provider (as in "provider:model") '
            f"and there is no default provider. Providers: {providers}.{known}{hint}"
        )

    def _find_fault(self, name: str, at: str) -> Fault | None:
        steps: list[str] = []
        if self._follow_aliases(name, steps, 0):
            return None
        return Fault(path=at, message=steps[-1])


def _find_alias(name: str, looked: Sequence[Names], *, whole: bool) -> Meant | None:
    """The alias that the name is, else the longest one that it contains."""
    folded = fold(name)
    for names in looked:
        if found := names.whole(folded):
            return found
    if whole:
        return None
    parts = [found for names in looked if (found := names.part(folded))]
    return max(parts, key=lambda each: len(each.alias), default=None)


def _as_list(targets: str | list[str]) -> list[str]:
    return [targets] if isinstance(targets, str) else targets


def _claims_provider(model: str) -> bool:
    # "provider:model" with a plain word first; ids such as "ft:gpt-4o:org" keep their colons with
    # a default provider only when they are written "!ft:...".
    return re.fullmatch(r"[A-Za-z][\w.-]*:.+", model) is not None
