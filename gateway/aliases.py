"""Checks on aliases that need no call: where each one leads, and those that ship."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.config.decode import join
from gateway.config.load import Config, Fault, fold
from gateway.config.messages import nearest
from gateway.plugin import Provider

LIMIT = 10
"""Most aliases that may lead to each other."""
SHIPPED = {
    "openrouter": {"big": "anthropic/claude-sonnet-4", "small": "anthropic/claude-3.7-sonnet"},
    "anthropic": {"big": "claude-opus-4-8", "small": "claude-haiku-4-5"},
    "openai": {"big": "gpt-5", "small": "gpt-5-mini"},
    "bedrock": {
        "big": "global.anthropic.claude-opus-4-6-v1",
        "small": "global.anthropic.claude-haiku-4-5-20251001-v1:0",
    },
    "vertex": {"big": "claude-opus-4-8", "small": "claude-haiku-4-5@20251001"},
    "echo": {"big": "big", "small": "small"},
}
"""What `big` and `small` are at each kind of provider, where the operator does not say."""

Table = Mapping[str, Sequence[str]]


class Meant(NamedTuple):
    """What a name is taken for: whose alias, as it is spelled, and where it leads."""

    owner: str
    alias: str
    targets: Sequence[str]


class Names:
    """Tables of aliases, each with its owner, to look names up in whatever their number.

    `partial` says which aliases count where they are only part of a name.
    """

    def __init__(
        self, tables: Iterable[tuple[str, Table]], partial: Callable[[str, Sequence[str]], bool]
    ) -> None:
        self._whole: dict[str, Meant] = {}
        self._parts: dict[str, Meant] = {}
        first: dict[str, tuple[int, str]] = {}
        for place, (owner, table) in enumerate(tables):
            for alias, targets in table.items():
                folded, meant = fold(alias), Meant(owner, alias, targets)
                self._whole.setdefault(folded, meant)
                rank = (place, alias)
                if partial(alias, targets) and rank < first.get(folded, (place + 1, "")):
                    first[folded], self._parts[folded] = rank, meant
        self._lengths = sorted({len(folded) for folded in self._parts}, reverse=True)
        self._ranks = first

    def whole(self, folded: str) -> Meant | None:
        """The alias that a folded name is, of the first table that has it."""
        return self._whole.get(folded)

    def part(self, folded: str) -> Meant | None:
        """The longest alias that a folded name contains; of several, the first table's."""
        for length in self._lengths:
            places = range(len(folded) - length + 1)
            found = {folded[place : place + length] for place in places} & self._parts.keys()
            if found:
                return self._parts[min(found, key=self._ranks.__getitem__)]
        return None


def with_shipped(aliases: Table, use: str, default: str) -> dict[str, list[str]]:
    """The aliases, with `big` and `small` of the default provider, whose `use` is given."""
    found = {name: list(targets) for name, targets in aliases.items()}
    taken = {fold(name) for name in found}
    # At the default provider or nowhere: a name that says nothing of a provider must not leave it.
    for alias, model in SHIPPED.get(use, {}).items():
        if alias not in taken:
            found[alias] = [f"{default}:{model}"]
    return found


def reachable(
    aliases: Table, disabled: Collection[str], at: str = "aliases"
) -> tuple[dict[str, list[str]], list[Fault]]:
    """The aliases without the targets at disabled providers, and a warning for each of those."""
    kept: dict[str, list[str]] = {}
    warnings = []
    for name, targets in aliases.items():
        gone = [each for each in targets if each.partition(":")[0] in disabled]
        left = [each for each in targets if each not in gone]
        for target in gone:
            provider = target.partition(":")[0]
            message = f'leaves out "{target}": the provider "{provider}" is disabled'
            warnings.append(Fault(path=join(at, name), message=message))
        if left or not targets:
            kept[name] = left
    return kept, warnings


def alias_faults(
    config: Config, providers: Mapping[str, Provider], known: Collection[str]
) -> list[Fault]:
    """Aliases that are empty, lead in a circle, too far, or to a provider that is not there."""
    owned: dict[str, Table] = {name: _own(provider) for name, provider in providers.items()}
    # A profile whose name is no name, or another's, is told of with the names.
    taken = ["", *map(fold, owned)]
    named = {name: each for name, each in config.profiles.items() if fold(name) not in taken}
    profiles: dict[str, Table] = {fold(name): each.aliases for name, each in named.items()}
    graph = _Graph(config.aliases, owned, profiles, config.routing.default_provider)
    places: list[tuple[str, str, Table]] = [("", "aliases", config.aliases)]
    places += [(name, f"{join('providers', name)}.aliases", owned[name]) for name in owned]
    places += [
        (fold(name), f"{join('profiles', name)}.aliases", profile.aliases)
        for name, profile in named.items()
    ]
    known = [*known, *config.profiles]
    faults = []
    for owner, above, table in places:
        for name, targets in table.items():
            at = join(above, name)
            faults += list(_target_faults(targets, at, known, is_own=owner in owned))
            message = graph.fault(owner, name)
            if message:
                faults.append(Fault(path=at, message=message))
    return faults


def _own(provider: Provider) -> dict[str, list[str]]:
    """A provider's own aliases, each as a list."""
    own = provider.aliases.items()
    return {name: [each] if isinstance(each, str) else list(each) for name, each in own}


def _target_faults(
    targets: Sequence[str], at: str, known: Collection[str], *, is_own: bool
) -> Iterator[Fault]:
    if not targets:
        yield Fault(path=at, message="names no model")
    for place, target in enumerate(targets):
        path = join(at, place)
        provider, colon, model = target.partition(":")
        if not target.strip("! ") or (colon and provider in known and not model.strip()):
            yield Fault(path=path, message="names no model")
        elif target in targets[:place]:
            yield Fault(path=path, message=f'"{target}" stands here twice')
        elif colon and not is_own and not target.startswith("!") and provider not in known:
            message = f'there is no provider "{provider}"'
            yield Fault(path=path, message=message, hint=nearest(provider, known))


class _Graph:
    """Which alias leads to which."""

    def __init__(
        self,
        aliases: Table,
        owned: Mapping[str, Table],
        profiles: Mapping[str, Table],
        default: str,
    ) -> None:
        tables = {"": aliases, **owned, **profiles}
        self._tables = {
            owner: {fold(name): (name, targets) for name, targets in table.items()}
            for owner, table in tables.items()
        }
        self._owned = owned
        self._profiles = profiles
        first = ["", default, *sorted(owned)]
        self._order = [owner for owner in dict.fromkeys(first) if owner in ("", *owned)]
        self._told: set[tuple[str, str]] = set()

    def fault(self, owner: str, name: str) -> str:
        """What is wrong with where an alias leads, told once for each circle."""
        way = self._follow((owner, fold(name)), [])
        if way is None or (owner, fold(name)) in self._told:
            return ""
        names = " -> ".join(f"{each[0]}:{each[1]}" if each[0] else each[1] for each in way)
        if way[-1] in way[:-1]:
            self._told.update(way)
            return f"leads in a circle: {names}"
        return f"leads over more than {LIMIT} aliases: {names}"

    def _follow(
        self, node: tuple[str, str], way: list[tuple[str, str]]
    ) -> list[tuple[str, str]] | None:
        """A way from here that never ends or is too long; None where all end."""
        if node in way or len(way) > LIMIT:
            return [*way, node]
        owner, name = node
        for target in self._tables[owner][name][1]:
            following = self._next(target, owner)
            # An alias that names itself means the model of that name.
            if following is not None and following != node:
                found = self._follow(following, [*way, node])
                if found is not None:
                    return found
        return None

    def _next(self, target: str, owner: str) -> tuple[str, str] | None:
        if target.startswith("!"):
            return None
        prefix, colon, rest = target.partition(":")
        if colon and prefix in self._owned:
            return (prefix, fold(rest)) if fold(rest) in self._tables[prefix] else None
        if colon and fold(prefix) in self._profiles:
            within = [fold(prefix), *self._order]
            return self._next(rest, "") if ":" in rest else self._bare(rest, within)
        if owner in self._owned:
            return (owner, fold(target)) if fold(target) in self._tables[owner] else None
        return self._bare(target, [owner, *self._order])

    def _bare(self, name: str, order: Sequence[str]) -> tuple[str, str] | None:
        """The first alias of that name, the tables taken in an order."""
        found = [each for each in order if fold(name) in self._tables[each]]
        return (found[0], fold(name)) if found else None
