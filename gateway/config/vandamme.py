"""Configuration files of vandamme-proxy: their values are used where nothing else sets an option.

Its tables are providers by name, [defaults], and [profiles.NAME] or, in files of an older form,
["#NAME"]. The options of a provider are the same as in variables, and are read as such.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.config.decode import join
from gateway.config.faults import Fault
from gateway.config.layers import Layer, Rank
from gateway.config.toml_file import read_toml
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
    """The contents of such files: variables and options, each with its file and line."""

    providers: dict[str, str] = {}
    """Name of a provider -> file and line of its table."""
    variables: dict[str, str] = {}
    places: dict[str, str] = {}
    """Path of a variable -> file and line of the option that it stands for."""
    timeouts: dict[str, float] = {}
    """Name of a provider -> seconds; of "" for all others."""
    retries: dict[str, int] = {}
    """Name of a provider -> tries after the first."""
    default: str = ""
    aliases: dict[str, list[str]] = {}
    profiles: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    """Path of an option of this gateway -> file and line."""
    faults: list[Fault] = []
    warnings: list[Fault] = []

    def own(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of the providers that the files name."""
        starts = tuple(f"{_prefix(name)}_" for name in self.providers)
        return {name: value for name, value in env.items() if starts and name.startswith(starts)}


def looked_up(env: Mapping[str, str]) -> list[Path]:
    """Return the files that exist, in order of precedence."""
    home = env.get("HOME", "")
    places = [Path(FILE)]
    if home:
        places.append(Path(home) / ".config" / "vandamme-proxy" / FILE)
    # Not Path.is_file, which raises where a folder on the way may not be entered.
    return [path for path in places if os.path.isfile(path)]


def read_files(paths: list[Path]) -> Imported:
    """Read the files; for each option the earlier one takes precedence."""
    imported = Imported()
    for path in paths:
        _File(path, imported).read()
    return imported


def provider_variables(imported: Imported, env: Mapping[str, str]) -> Layer:
    """Return what the files say of providers, as variables; those without any key are left out."""
    layer = Layer(
        rank=Rank.VANDAMME, values=dict(imported.variables), origins=dict(imported.places)
    )
    for name, place in imported.providers.items():
        start = _prefix(name)
        key, mode = f"{start}_API_KEY", f"{start}_AUTH_MODE"
        if key in layer.values or env.get(key, "").strip():
            continue
        if layer.values.get(mode, "").lower() == "passthrough":
            layer.put((key,), PASSTHROUGH, imported.places[join("", mode)])
        else:
            own = (f"{start}_BASE_URL", f"{start}_ALIAS_")
            for variable in [each for each in layer.values if each.startswith(own)]:
                del layer.values[variable]
            message = f"not used: the environment variable {key} is not set"
            file, _, line = place.rpartition(":")
            imported.warnings.append(Fault(file=file, line=int(line), path=name, message=message))
    return layer


def vandamme_layer(imported: Imported, above: Layer, discovered: Collection[str]) -> Layer:
    """Return what the files say of anything but providers, where `above` leaves room for it.

    `discovered` are the providers whose tables come from variables or from such a file: only they
    take a timeout and retries from it. What cannot be used becomes a warning of `imported`.
    """
    layer = Layer(rank=Rank.VANDAMME)
    _put_limits(layer, imported, above, discovered)
    named = {name.lower() for name in above.table("profiles")}
    added = {name: each for name, each in imported.profiles.items() if name.lower() not in named}
    names = [*above.table("providers"), *above.table("profiles"), *added]
    known = {name.lower(): name for name in names}
    for name, profile in added.items():
        at = join("profiles", name)
        layer.put(("profiles", name), {}, imported.origins[at])
        for option in profile.keys() - {"aliases"}:
            place = imported.origins[join(at, option)]
            layer.put(("profiles", name, option), profile[option], place)
        kept = _usable({}, profile["aliases"], known, imported, f"{at}.aliases")
        layer.table("profiles", name)["aliases"] = {}
        for alias, targets in kept.items():
            place = imported.origins[join(f"{at}.aliases", alias)]
            layer.put(("profiles", name, "aliases", alias), targets, place)
    if imported.default and not above.table("routing").get("default_provider"):
        _put_default(layer, imported, known)
    default = {**above.table("routing"), **layer.table("routing")}.get("default_provider")
    taken = {**_default_aliases(default, above), **above.table("aliases")}
    for alias, targets in _usable(taken, imported.aliases, known, imported, "aliases").items():
        layer.put(("aliases", alias), targets, imported.origins[join("aliases", alias)])
    return layer


def _put_limits(
    layer: Layer, imported: Imported, above: Layer, discovered: Collection[str]
) -> None:
    """Set timeouts and retries; a provider's own timeouts stand back behind [timeouts] above."""
    free = [each for each in ("first_byte", "idle") if each not in above.table("timeouts")]
    for name, seconds in imported.timeouts.items():
        place = imported.origins[join("timeouts", name)]
        if not name:
            for option in free:
                layer.put(("timeouts", option), seconds, place)
        elif name in discovered and free:
            layer.put(("providers", name, "timeouts"), dict.fromkeys(free, seconds), place)
    for name, retries in imported.retries.items():
        if name in discovered:
            place = imported.origins[f"{join('providers', name)}.max_retries"]
            layer.put(("providers", name, "max_retries"), retries, place)


def _default_aliases(default: object, above: Layer) -> dict[str, Any]:
    """Return the aliases of the default provider: they come before general ones in such files."""
    providers = above.table("providers")
    first = "openai" if "openai" in providers else next(iter(providers), "")
    return above.table("providers", str(default or first), "aliases")


def _put_default(layer: Layer, imported: Imported, known: Mapping[str, str]) -> None:
    place = imported.origins["default"]
    name = known.get(imported.default.lower())
    if name is not None:
        layer.put(("routing", "default_provider"), name, place)
    else:
        message = f'not used: there is no provider or profile "{imported.default}"'
        imported.warnings.append(Fault(file=place, path="defaults", message=message))


def _usable(
    taken: Mapping[str, Any],
    aliases: Mapping[str, list[str]],
    known: Mapping[str, str],
    imported: Imported,
    at: str,
) -> dict[str, list[str]]:
    """Return the aliases with free names and known providers, spelled as these are."""
    names = {name.lower().replace("_", "-") for name in taken}
    usable = {}
    for alias, (target,) in aliases.items():
        bang, bare = "!" * target.startswith("!"), target.removeprefix("!")
        provider, colon, model = bare.partition(":")
        if alias.replace("_", "-") in names:
            continue
        if colon and provider.lower() not in known:
            path = join(at, alias)
            message = f'not used: there is no provider "{provider}"'
            place = imported.origins[path]
            imported.warnings.append(Fault(file=place, path=path, message=message))
        else:
            found = f"{bang}{known[provider.lower()]}:{model}" if colon else target
            usable[alias] = [found]
    return usable


def _prefix(provider: str) -> str:
    return provider.upper().replace("-", "_")


class _File:
    """Reads one file into an Imported."""

    def __init__(self, path: Path, imported: Imported) -> None:
        self._path = path
        self._into = imported
        self._lines: dict[str, tuple[int, int]] = {}
        self._folded: dict[str, tuple[int, int]] = {}

    def read(self) -> None:
        """Add what no earlier file has set."""
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
        from gateway.config.positions import positions  # noqa: PLC0415

        file = read_toml(self._path)
        if file.fault:
            self._fault(file.fault)
            return {}
        self._lines = positions(file.text)
        self._folded = {each.lower(): place for each, place in self._lines.items()}
        for key in [key for key, value in file.data.items() if not isinstance(value, dict)]:
            self._warn(join("", key), "has no meaning here")
        return file.data

    def _tables(
        self, tables: object, data: object, at: str = ""
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the tables in a table, with a warning for each other value below the top level."""
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
        """Yield aliases in lower case, as they are compared, with their targets."""
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
            self._into.places[join("", name)] = self._place(path)

    def _is_here(self, key: str) -> bool:
        """Whether an option was set by this file."""
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
