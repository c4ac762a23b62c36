"""From a file, the environment and flags to a Config.

Each source is read into a layer, the layers are merged once, and the result is decoded. Which
source takes precedence over which is told in layers.py.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.config.builtins import CHAIN, addressed
from gateway.config.checks import find_faults, is_loopback as is_loopback
from gateway.config.decode import Decoder, EnvText, unquoted
from gateway.config.environment import CLIENT_KEY, WORDS, discover
from gateway.config.faults import ConfigError as ConfigError, Fault as Fault
from gateway.config.layers import Layer, Rank, Values, merge, paths
from gateway.config.names import fold as fold
from gateway.config.options import environment_layer, flag_layer, unused_variables
from gateway.config.schema import (
    Auth as Auth,
    Catalogue as Catalogue,
    Key as Key,
    Log as Log,
    Profile as Profile,
    Routing as Routing,
    Server as Server,
    Tables as Tables,
    Timeouts as Timeouts,
)
from gateway.config.size import Size as Size
from gateway.config.toml_file import read_toml
from gateway.config.vandamme import (
    Imported,
    looked_up,
    provider_variables,
    read_files,
    vandamme_layer,
)

_VARIABLE = "INTERLINGUA_CONFIG"
_FILES = (Path("config.toml"), Path("/etc/interlingua/config.toml"))


class Source(Struct, kw_only=True):
    """Where a configuration came from; needed for line numbers, keys, warnings and reloads."""

    path: Path | None = None
    text: str = ""
    env: Mapping[str, str] = {}
    overrides: Mapping[str, object] = {}
    """Path of an option -> the value of its flag."""
    warnings: list[Fault] = []
    origins: dict[str, str] = {}
    """Path of an option -> the file, "env PORT" or "flag --port"; see Layer."""

    def is_own(self, path: str) -> bool:
        """Whether an option is not read from a file of vandamme-proxy."""
        return self.origins.get(path, str(self.path)) == str(self.path)

    def __repr__(self) -> str:
        return f"Source({str(self.path) if self.path else None!r})"


class Config(Tables, frozen=True, kw_only=True):
    """A complete configuration; the options of plugins are not decoded yet."""

    source: Source = field(default_factory=Source)


class RedactedTable(dict[str, Any]):
    """A raw table whose repr shows only its keys, so that no secret reaches a log."""

    def __repr__(self) -> str:
        return f"{{{', '.join(self)}}}"


def find_file(env: Mapping[str, str]) -> Path | None:
    """Return the file of INTERLINGUA_CONFIG, else the first of the default files that exists."""
    named = env.get(_VARIABLE)
    return Path(named) if named else next(filter(os.path.exists, _FILES), None)


def reload_config(config: Config, env: Mapping[str, str]) -> Config:
    """Read the same file and flags again. Raises ConfigError as `load_config` does."""
    return load_config(config.source.path, env, config.source.overrides)


def load_config(
    path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> Config:
    """Return the configuration, with the options of plugins not decoded.

    Raises ConfigError with every fault.
    """
    config, faults = read_config(path, env, overrides)
    if faults:
        raise ConfigError(with_positions(faults, config.source))
    return config


def read_config(
    path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> tuple[Config, list[Fault]]:
    """Return what can be read, with defaults for the rest, and every fault."""
    source = Source(path=path, env=env, overrides=dict(overrides or {}))
    merged, faults = _layers(source)
    source.origins = merged.origins
    if not isinstance(merged.values["middleware"], list):
        faults.append(Fault(path="middleware", message="expected tables, written [[middleware]]"))
        merged.values |= _defaults(merged).values
    reading = Decoder(env)
    tables = reading.struct(_expand_shorthand(merged.values), Tables, "") or Tables()
    tables = _default_profile(tables, source)
    faults += reading.faults + reading.missing
    source.warnings += reading.warnings
    auth = merged.values.get("auth", {})
    keys_given = not isinstance(auth, dict) or bool(auth.get("keys"))
    faults += find_faults(tables, keys_given=keys_given)
    return Config(**_members(tables), source=source), faults


def with_positions(faults: Iterable[Fault], source: Source) -> list[Fault]:
    """Return the faults in file order, with the line, variable or flag they come from."""
    # Native code that a sound start never needs.
    from gateway.config.positions import parent, positions  # noqa: PLC0415

    file, origins = str(source.path), source.origins
    places = positions(source.text) if file in origins.values() else {}
    found = []
    for fault in faults:
        path = "" if fault.file else fault.path
        while path and (path not in origins or (origins[path] == file and path not in places)):
            path = parent(path)
        origin = origins.get(path, file)
        if origin != file:
            fault = msgspec.structs.replace(fault, file=origin)
        elif not fault.file and source.path:
            line, column = places.get(path, (fault.line, fault.column))
            fault = msgspec.structs.replace(fault, file=file, line=line, column=column)
        found.append(fault)
    return sorted(found, key=lambda fault: (fault.file, fault.line, fault.column))


def _layers(source: Source) -> tuple[Layer, list[Fault]]:
    """Return all layers merged, and the faults found in reading them."""
    file, faults = _file_layer(source)
    environment, of_environment = environment_layer(source.env, file)
    flags, of_flags = flag_layer(source.overrides, [file, environment])
    merged, of_lower = _with_lower_layers(merge(file, environment, flags), source)
    source.warnings += unused_variables(source.env)
    return merged, [*faults, *of_environment, *of_flags, *of_lower]


def _file_layer(source: Source) -> tuple[Layer, list[Fault]]:
    if source.path is None:
        return Layer(rank=Rank.FILE), []
    file = read_toml(source.path)
    source.text = file.text
    origins = dict.fromkeys(paths(file.data), str(source.path))
    return Layer(rank=Rank.FILE, values=file.data, origins=origins), [
        file.fault
    ] if file.fault else []


def _with_lower_layers(stated: Layer, source: Source) -> tuple[Layer, list[Fault]]:
    """Complete what file, environment and flags set with the layers below them.

    Each of these depends on the layers above it: names are spelled as there, and what cannot be
    used is left out with a warning.
    """
    above = merge(stated, _client_key(stated, source))
    if not isinstance(above.values.get("providers", {}), dict):
        return merge(above, _defaults(above)), []
    discovering = str(above.table("server").get("discover")).lower() != "false"
    imported = _imported(above.table("server"), source, discovering)
    env = source.env if discovering else imported.own(source.env)
    configured = list(above.table("providers"))
    written = provider_variables(imported, env)
    found = discover(env, addressed(), configured, written, list(imported.providers))
    above = merge(above, found.layer)
    above = merge(above, _defaults(above))
    discovered = [name for name in found.providers if name not in configured]
    above = merge(above, vandamme_layer(imported, above, discovered))
    above = merge(above, _alias_variables(above, source))
    source.warnings += found.warnings + imported.warnings
    return above, found.faults + imported.faults


def _defaults(above: Layer) -> Layer:
    """Return the defaults that are not defaults of an option in schema.py."""
    values: Values = {"middleware": [{"use": name} for name in CHAIN]}
    if not above.values.get("providers"):
        values["providers"] = {"echo": {"use": "echo"}}
    return Layer(rank=Rank.DEFAULTS, values=values)


def _client_key(stated: Layer, source: Source) -> Layer:
    """Return the client key of PROXY_API_KEY, unless [auth] keys are set."""
    layer, auth = Layer(rank=Rank.DISCOVERED), stated.table("auth")
    if not source.env.get(CLIENT_KEY, "").strip():
        return layer
    if "keys" not in auth:
        layer.put(("auth", "keys"), [{"key": f"env:{CLIENT_KEY}"}], f"env {CLIENT_KEY}")
    elif CLIENT_KEY not in str(auth["keys"]):
        message = "not used: [auth] keys are given elsewhere, and do not name it"
        source.warnings.append(Fault(file=f"env {CLIENT_KEY}", message=message))
    return layer


def _imported(server: Values, source: Source, discovering: bool) -> Imported:
    """Read the file of vandamme-proxy that is named, or those that are found."""
    named = server.get("vandamme_config")
    if isinstance(named, str) and named.strip():
        text = source.env.get(named.removeprefix("env:"), "") if named[:4] == "env:" else named
        return read_files([Path(text)])
    return read_files(looked_up(source.env) if discovering else [])


def _alias_variables(above: Layer, source: Source) -> Layer:
    """Return `big` and `small` from variables that clients use too, so all else comes first."""
    layer = Layer(rank=Rank.DEFAULTS)
    names = {fold(name) for name in (*above.table("providers"), *above.table("profiles"))}
    taken = [fold(alias) for alias in above.table("aliases")]
    for word, variable in WORDS.items():
        model = source.env.get(variable, "").strip()
        prefix, colon, _ = model.removeprefix("!").partition(":")
        if not model or word in taken or fold(model) in WORDS:
            continue
        if colon and fold(prefix) not in names:
            message = f'not used: there is no provider "{prefix}"'
            source.warnings.append(Fault(file=f"env {variable}", message=message))
            continue
        layer.put(("aliases", word), [model], f"env {variable}")
    return layer


def _expand_shorthand(values: Values) -> Values:
    """Return the tables with short forms expanded: a key to an entry, a target to a list."""
    auth, profiles = values.get("auth"), values.get("profiles")
    expanded = values | {"aliases": _target_lists(values.get("aliases", {}))}
    if isinstance(auth, dict) and "keys" in auth:
        expanded["auth"] = auth | {"keys": _key_entries(auth["keys"])}
    if isinstance(profiles, dict):
        expanded["profiles"] = {
            name: each | {"aliases": _target_lists(each["aliases"])}
            if isinstance(each, dict) and "aliases" in each
            else each
            for name, each in profiles.items()
        }
    return expanded


def _key_entries(keys: object) -> object:
    keys = unquoted(keys) if isinstance(keys, EnvText) else keys
    listed = keys if isinstance(keys, list) else []
    return [{"key": each} if isinstance(each, str) else each for each in listed] or keys


def _target_lists(aliases: object) -> object:
    if not isinstance(aliases, dict):
        return aliases
    return {name: [each] if isinstance(each, str) else each for name, each in aliases.items()}


def _default_profile(tables: Tables, source: Source) -> Tables:
    """Take a default provider that is the name of a profile as the default profile."""
    routing = tables.routing
    default = routing.default_provider
    named = [name for name in tables.profiles if fold(name) == fold(default)]
    if not named or default in tables.providers or routing.default_profile:
        return tables
    origin = source.origins.pop("routing.default_provider", "")
    if origin:
        source.origins["routing.default_profile"] = origin
    return msgspec.structs.replace(tables, routing=Routing(default_profile=named[0]))


def _members(tables: Tables) -> Values:
    members = {name: getattr(tables, name) for name in tables.__struct_fields__}
    members["middleware"] = [RedactedTable(table) for table in tables.middleware]
    members["providers"] = {name: RedactedTable(table) for name, table in tables.providers.items()}
    return members
