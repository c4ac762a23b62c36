"""The file of vandamme-proxy, read as it is: what it says holds where nothing else says it.

Its tables are providers by name, [defaults], and [profiles.NAME] or, in files of an older form,
["#NAME"]. What it says of a provider is what variables say, and is kept as such.
"""

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.config.decode import join
from gateway.config.environment import EnvOverlay
from gateway.config.faults import Fault
from gateway.secret import PASSTHROUGH

FILE = "vandamme-config.toml"
_VARIABLES = {
    "api-key": "API_KEY",
    "api-format": "API_FORMAT",
    "api-version": "API_VERSION",
    "auth-mode": "AUTH_MODE",
    "base-url": "BASE_URL",
}
_DEFAULTS = ("default-target", "default-provider")
_MOST_RETRIES = 20


class Imported(Struct):
    """What such files say: variables and options, each with the file and line that says it."""

    providers: dict[str, str] = {}
    """Name of a provider -> where its table stands."""
    variables: dict[str, str] = {}
    places: dict[str, str] = {}
    """Variable -> where what it stands for is said."""
    timeouts: dict[str, float] = {}
    """Name of a provider -> seconds; of "" for all others."""
    retries: dict[str, int] = {}
    """Name of a provider -> tries after the first."""
    default: str = ""
    aliases: dict[str, list[str]] = {}
    profiles: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    """Path of an option of this gateway -> where it is said."""
    faults: list[Fault] = []
    warnings: list[Fault] = []

    def own(self, env: Mapping[str, str]) -> dict[str, str]:
        """The variables of the providers that the files name."""
        starts = tuple(f"{_prefix(name)}_" for name in self.providers)
        return {name: value for name, value in env.items() if starts and name.startswith(starts)}


def looked_up(env: Mapping[str, str]) -> list[Path]:
    """The files that are there, the one that wins first."""
    home = env.get("HOME", "")
    places = [Path(FILE)]
    if home:
        places.append(Path(home) / ".config" / "vandamme-proxy" / FILE)
    # Not Path.is_file, which raises where a folder on the way may not be entered.
    return [path for path in places if os.path.isfile(path)]


def read(paths: list[Path]) -> Imported:
    """What the files say together; the earlier one wins, option by option."""
    imported = Imported()
    for path in paths:
        _File(path, imported).read()
    return imported


def written(imported: Imported, env: Mapping[str, str]) -> EnvOverlay:
    """What the files say as variables, without the providers that nobody has a key for."""
    variables, places = dict(imported.variables), dict(imported.places)
    for name, place in imported.providers.items():
        start = _prefix(name)
        key, mode = f"{start}_API_KEY", f"{start}_AUTH_MODE"
        if key in variables or env.get(key, "").strip():
            continue
        if variables.get(mode, "").lower() == "passthrough":
            variables[key], places[key] = PASSTHROUGH, places[mode]
        else:
            variables.pop(f"{start}_BASE_URL", None)
            own = [each for each in variables if each.startswith(f"{start}_ALIAS_")]
            for each in own:
                del variables[each]
            message = f"not used: the environment variable {key} is not set"
            file, _, line = place.rpartition(":")
            imported.warnings.append(Fault(file=file, line=int(line), path=name, message=message))
    return EnvOverlay(variables, places, list(imported.providers))


def merge_defaults(
    raw: dict[str, Any], imported: Imported, found: Collection[str]
) -> dict[str, str]:
    """Adds what the files say and `raw` does not; the places of it, by its path.

    `found` are the providers that no table of `raw` has named.
    """
    origins: dict[str, str] = {}
    providers, profiles = raw["providers"], raw.setdefault("profiles", {})
    routing, aliases = raw.setdefault("routing", {}), raw.setdefault("aliases", {})
    timeouts = raw.setdefault("timeouts", {})
    parts = (providers, profiles, routing, aliases, timeouts)
    if not all(isinstance(each, dict) for each in parts):
        return origins  # told of as a fault, when the tables are read
    _lay_timeouts(timeouts, providers, imported, found, origins)
    named = {name.lower() for name in profiles}
    added = {name: each for name, each in imported.profiles.items() if name.lower() not in named}
    known = {name.lower(): name for name in [*providers, *profiles, *added]}
    for name, profile in added.items():
        own = join("profiles", name)
        _lay_aliases({}, profile["aliases"], known, imported, f"{own}.aliases")
        profiles[name] = profile
        origins.update({k: v for k, v in imported.origins.items() if k.startswith(own)})
    if not routing.get("default_provider") and imported.default:
        _lay_default(routing, known, imported, origins)
    taken = {**_default_aliases(routing, providers), **aliases}
    _lay_aliases(taken, imported.aliases, known, imported, "aliases")
    aliases.update(imported.aliases)
    for alias in imported.aliases:
        path = join("aliases", alias)
        origins[path] = imported.origins[path]
    return origins


def _default_aliases(routing: dict[str, Any], providers: dict[str, Any]) -> dict[str, Any]:
    """The own aliases of the default provider: they come before general ones in such files."""
    first = "openai" if "openai" in providers else next(iter(providers), "")
    table = providers.get(str(routing.get("default_provider") or first))
    aliases = table.get("aliases") if isinstance(table, dict) else None
    return aliases if isinstance(aliases, dict) else {}


def _lay_timeouts(
    timeouts: dict[str, Any],
    providers: dict[str, Any],
    imported: Imported,
    found: Collection[str],
    origins: dict[str, str],
) -> None:
    free = [each for each in ("first_byte", "idle") if each not in timeouts]
    for name, seconds in imported.timeouts.items():
        place = imported.origins[join("timeouts", name)]
        members = dict.fromkeys(free, seconds)
        if not name:
            timeouts.update(members)
            origins.update({join("timeouts", each): place for each in members})
        elif name in found and members:
            providers[name].setdefault("timeouts", members)
            origins[f"{join('providers', name)}.timeouts"] = place
    for name in imported.retries.keys() & set(found):
        providers[name].setdefault("max_retries", imported.retries[name])
        path = f"{join('providers', name)}.max_retries"
        origins[path] = imported.origins[path]


def _lay_default(
    routing: dict[str, Any], known: Mapping[str, str], imported: Imported, origins: dict[str, str]
) -> None:
    place = imported.origins["default"]
    if imported.default.lower() in known:
        routing["default_provider"] = known[imported.default.lower()]
        origins["routing.default_provider"] = place
    else:
        message = f'not used: there is no provider or profile "{imported.default}"'
        imported.warnings.append(Fault(file=place, path="defaults", message=message))


def _lay_aliases(
    taken: Mapping[str, Any],
    aliases: dict[str, list[str]],
    known: Mapping[str, str],
    imported: Imported,
    at: str,
) -> None:
    """Takes out aliases that are taken, and those for providers that are not here."""
    names = {name.lower().replace("_", "-") for name in taken}
    for alias, (target,) in list(aliases.items()):
        bang, bare = "!" * target.startswith("!"), target.removeprefix("!")
        provider, colon, model = bare.partition(":")
        if alias.replace("_", "-") in names:
            del aliases[alias]
        elif colon and provider.lower() not in known:
            del aliases[alias]
            path = join(at, alias)
            message = f'not used: there is no provider "{provider}"'
            place = imported.origins[path]
            imported.warnings.append(Fault(file=place, path=path, message=message))
        elif colon:
            aliases[alias] = [f"{bang}{known[provider.lower()]}:{model}"]


def _prefix(provider: str) -> str:
    return provider.upper().replace("-", "_")


class _File:
    """One file on its way into what is imported."""

    def __init__(self, path: Path, imported: Imported) -> None:
        self._path = path
        self._into = imported
        self._lines: dict[str, tuple[int, int]] = {}
        self._folded: dict[str, tuple[int, int]] = {}

    def read(self) -> None:
        """Takes over what the file says and no earlier one has said."""
        data = self._parsed()
        for key, table in self._tables(data, data):
            if key not in ("defaults", "profiles") and not key.startswith("#"):
                self._provider(key, table)
        for _, table in self._tables({"defaults": data.get("defaults", {})}, data):
            self._defaults(table)
        profiles = dict(self._tables(data.get("profiles", {}), data, "profiles"))
        for name, table in profiles.items():
            self._profile(name, table, join("profiles", name))
        for key, table in self._tables(data, data):
            if key.startswith("#") and key[1:] not in profiles:
                self._profile(key[1:], table, join("", key))

    def _parsed(self) -> dict[str, Any]:
        # Native code that a start without such a file never needs.
        from gateway.config.positions import positions, syntax_fault  # noqa: PLC0415

        text = ""
        try:
            text = self._path.read_text(encoding="utf-8-sig")
            data = tomllib.loads(text)
        except OSError as fault:
            self._fault(Fault(message=f"cannot be read: {fault.strerror}"))
        except UnicodeDecodeError as fault:
            self._fault(Fault(message=f"is not UTF-8 text: byte {fault.start} is {fault.reason}"))
        except RecursionError:
            self._fault(Fault(message="is nested too deeply"))
        except tomllib.TOMLDecodeError as fault:
            self._fault(syntax_fault(text, fault))
        else:
            self._lines = positions(text)
            self._folded = {each.lower(): place for each, place in self._lines.items()}
            for key in [key for key, value in data.items() if not isinstance(value, dict)]:
                self._warn(join("", key), "has no meaning here")
            return data
        return {}

    def _tables(
        self, tables: object, data: object, at: str = ""
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The tables in a table; another value in it is told of, but for the file's own."""
        if not isinstance(tables, dict):
            self._warn(at, "expected tables; not used")
            return
        for key, table in tables.items():
            if isinstance(table, dict):
                yield key, table
            elif tables is not data:
                self._warn(join(at, key), "expected a table; not used")

    def _provider(self, key: str, table: dict[str, Any]) -> None:
        name, at = key.lower(), join("", key)
        self._into.providers.setdefault(name, self._place(at))
        for option, value in table.items():
            path = join(at, option)
            if option in _VARIABLES and isinstance(value, str):
                self._variable(f"{_prefix(name)}_{_VARIABLES[option]}", value, path)
            elif option == "timeout":
                self._timeout(name, value, path)
            elif option == "max-retries":
                self._retries(name, value, path)
            elif option == "aliases":
                for alias, target in self._aliases(value, path):
                    variable = f"{_prefix(name)}_ALIAS_{alias.upper()}"
                    self._variable(variable, target, join(path, alias))
            else:
                known = option in _VARIABLES
                self._warn(path, "expected text; not used" if known else "has no meaning here")

    def _defaults(self, table: dict[str, Any]) -> None:
        into = self._into
        for option, value in table.items():
            path = join("defaults", option)
            if option in _DEFAULTS and isinstance(value, str):
                if not into.default or (option == _DEFAULTS[0] and self._is_here("default")):
                    into.default = value
                    into.origins["default"] = self._place(path)
            elif option == "timeout":
                self._timeout("", value, path)
            elif option == "aliases":
                for alias, target in self._aliases(value, path):
                    if alias not in into.aliases:
                        into.aliases[alias] = [target]
                        into.origins[join("aliases", alias)] = self._place(join(path, alias))
            else:
                self._warn(path, "has no meaning here")

    def _profile(self, name: str, table: dict[str, Any], at: str) -> None:
        if any(name.lower() == each.lower() for each in self._into.profiles):
            return
        own = join("profiles", name)
        found: dict[str, Any] = {"aliases": {}}
        origins = {own: self._place(at)}
        for option, value in table.items():
            path = join(at, option)
            if option == "timeout":
                found["timeout"] = value
                origins[join(own, "timeout")] = self._place(path)
            elif option == "max-retries":
                found["max_retries"] = value
                origins[join(own, "max_retries")] = self._place(path)
            elif option == "aliases":
                for alias, target in self._aliases(value, path):
                    found["aliases"][alias] = [target]
                    origins[join(f"{own}.aliases", alias)] = self._place(join(path, alias))
            else:
                self._warn(path, "has no meaning here")
        self._into.profiles[name] = found
        self._into.origins.update(origins)

    def _aliases(self, table: object, at: str) -> Iterator[tuple[str, str]]:
        """Aliases in lower case, as they are compared, and their targets."""
        if not isinstance(table, dict):
            self._warn(at, "expected a table; not used")
            return
        for alias, target in table.items():
            if isinstance(target, str) and target.strip():
                yield alias.lower(), target.strip()
            else:
                self._warn(join(at, alias), "expected the name of a model; not used")

    def _timeout(self, name: str, value: object, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            self._fault(Fault(path=path, message=f"expected seconds, 0 or more, got {value!r}"))
        elif name not in self._into.timeouts:
            self._into.timeouts[name] = float(value)
            self._into.origins[join("timeouts", name)] = self._place(path)

    def _retries(self, name: str, value: object, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_RETRIES:
            self._fault(Fault(path=path, message=f"expected 0 to {_MOST_RETRIES}, got {value!r}"))
        elif name not in self._into.retries:
            self._into.retries[name] = value
            self._into.origins[f"{join('providers', name)}.max_retries"] = self._place(path)

    def _variable(self, name: str, value: str, path: str) -> None:
        if value.strip() and name not in self._into.variables:
            self._into.variables[name] = value.strip()
            self._into.places[name] = self._place(path)

    def _is_here(self, key: str) -> bool:
        """Whether it is this file that has said it."""
        return self._into.origins.get(key, "").startswith(f"{self._path}:")

    def _place(self, path: str) -> str:
        return f"{self._path}:{self._at(path)[0]}"

    def _at(self, path: str) -> tuple[int, int]:
        return self._lines.get(path) or self._folded.get(path.lower(), (1, 1))

    def _warn(self, path: str, message: str) -> None:
        line, column = self._at(path)
        self._into.warnings.append(
            Fault(file=str(self._path), line=line, column=column, path=path, message=message)
        )

    def _fault(self, fault: Fault) -> None:
        line, column = self._at(fault.path) if fault.path else (fault.line, fault.column)
        self._into.faults.append(
            Fault(
                file=str(self._path),
                line=line,
                column=column,
                path=fault.path,
                message=fault.message,
            )
        )
