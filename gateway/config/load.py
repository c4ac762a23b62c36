"""From a file, the environment and flags to a Config.

A flag beats a variable of the environment, that beats the file, the file beats what a file of
vandamme-proxy says, and that beats a default.
"""

import ipaddress
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.config.builtins import CHAIN, addressed
from gateway.config.decode import Decoder, EnvText, join, unquoted
from gateway.config.environment import (
    CLIENT_KEY,
    OPTIONS,
    PREFIX,
    RETRIES,
    UNUSED,
    WORDS,
    discover,
    option_text,
)
from gateway.config.faults import ConfigError as ConfigError, Fault as Fault
from gateway.config.messages import nearest
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
from gateway.config.vandamme import Imported, looked_up, merge_defaults, read, written

Raw = dict[str, Any]
"""A table as TOML gives it."""


class Source(Struct, kw_only=True):
    """Where a configuration came from: kept for line numbers, keys, warnings and reloads."""

    path: Path | None = None
    text: str = ""
    env: Mapping[str, str] = {}
    overrides: Mapping[str, object] = {}
    """Path of an option -> what a flag says of it."""
    warnings: list[Fault] = []
    origins: dict[str, str] = {}
    """Path of an option -> "env PORT" or "flag --port"; the rest stands in the file, or nowhere."""

    def __repr__(self) -> str:
        return f"Source({str(self.path) if self.path else None!r})"


class Config(Tables, frozen=True, kw_only=True):
    """A whole configuration, checked but for the options that belong to plugins."""

    source: Source = field(default_factory=Source)


class RedactedTable(dict[str, Any]):
    """A raw table whose repr is its keys: a key that stands in the file must not reach a log."""

    def __repr__(self) -> str:
        return f"{{{', '.join(self)}}}"


def reload_config(config: Config, env: Mapping[str, str]) -> Config:
    """The same file and flags, read anew. ConfigError as for `load_config`."""
    return load_config(config.source.path, env, config.source.overrides)


def load_config(
    path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> Config:
    """The configuration, its plugins' options unread. ConfigError holds every fault in it."""
    config, faults = read_config(path, env, overrides)
    if faults:
        raise ConfigError(with_positions(faults, config.source))
    return config


def read_config(
    path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> tuple[Config, list[Fault]]:
    """What can be read, with defaults where it cannot, and every fault."""
    source = Source(path=path, env=env, overrides=dict(overrides or {}))
    raw, faults = _parsed(source)
    faults += _overlay(raw, source)
    _expand_shorthand(raw)
    faults += _discovered(raw, source)
    _alias_variables(raw, source)
    _default_profile(raw, source)
    if not isinstance(raw.setdefault("middleware", _chain()), list):
        faults.append(Fault(path="middleware", message="expected tables, written [[middleware]]"))
        raw["middleware"] = _chain()
    _retries(raw["middleware"], source)
    reading = Decoder(env)
    tables = reading.struct(raw, Tables, "") or Tables()
    faults += reading.faults + reading.missing
    source.warnings += reading.warnings
    config = Config(**_members(tables), source=source)
    return config, faults + _semantic(config, raw)


def with_positions(faults: Iterable[Fault], source: Source) -> list[Fault]:
    """The faults with the line, the variable or the flag they come from, in the file's order."""
    # Native code that a sound start never needs.
    from gateway.config.positions import parent, positions  # noqa: PLC0415

    try:
        tomllib.loads(source.text)
        places = positions(source.text)
    except (tomllib.TOMLDecodeError, RecursionError):
        places = {}
    found = []
    for fault in faults:
        path = "" if fault.file else fault.path
        while path and path not in source.origins and path not in places:
            path = parent(path)
        if path in source.origins:
            fault = msgspec.structs.replace(fault, file=source.origins[path])
        elif not fault.file and source.path:
            line, column = places.get(path, (fault.line, fault.column))
            fault = msgspec.structs.replace(fault, file=str(source.path), line=line, column=column)
        found.append(fault)
    return sorted(found, key=lambda fault: (fault.file, fault.line, fault.column))


def _parsed(source: Source) -> tuple[Raw, list[Fault]]:
    if source.path is None:
        return {}, []
    try:
        source.text = source.path.read_text(encoding="utf-8-sig")
        return tomllib.loads(source.text), []
    except OSError as fault:
        return {}, [Fault(message=f"cannot be read: {fault.strerror}")]
    except UnicodeDecodeError as fault:
        return {}, [Fault(message=f"is not UTF-8 text: byte {fault.start} is {fault.reason}")]
    except RecursionError:
        return {}, [Fault(message="is nested too deeply")]
    except tomllib.TOMLDecodeError as fault:
        from gateway.config.positions import syntax_fault  # noqa: PLC0415 - as in `located`

        return {}, [syntax_fault(source.text, fault)]


def _expand_shorthand(raw: Raw) -> None:
    """Short forms to long ones: a key alone is an entry with a key, a target a list of one."""
    auth, aliases = raw.get("auth"), raw.get("aliases")
    if isinstance(auth, dict) and "keys" in auth:
        keys = auth["keys"]
        keys = unquoted(keys) if isinstance(keys, EnvText) else keys
        listed = keys if isinstance(keys, list) else []
        short = [{"key": each} if isinstance(each, str) else each for each in listed]
        auth["keys"] = short or keys
    profiles = raw.get("profiles")
    groups = profiles.values() if isinstance(profiles, dict) else []
    tables = [each.get("aliases") for each in groups if isinstance(each, dict)]
    for table in [aliases, *tables]:
        if isinstance(table, dict):
            for name, targets in table.items():
                table[name] = [targets] if isinstance(targets, str) else targets


def _overlay(raw: Raw, source: Source) -> list[Fault]:
    """Single options from variables, then from flags."""
    faults = []
    env = source.env
    given: dict[str, tuple[object, str]] = {
        path: (EnvText(option_text(name, env)), f"env {name}")
        for name, paths in OPTIONS.items()
        if env.get(name, "").strip()
        for path in paths
    }
    for name in sorted(env):
        parts = name.removeprefix(PREFIX).lower().split("__")
        if name.startswith(PREFIX) and len(parts) > 1 and all(parts):
            given[".".join(parts)] = (EnvText(env[name]), f"env {name}")
        elif name.startswith(PREFIX):
            message = f"names no option; the form is {PREFIX}SECTION__KEY"
            faults.append(Fault(file=f"env {name}", message=message))
    for path, value in source.overrides.items():
        shown = path.rpartition(".")[2].replace("_", "-")
        kept = EnvText(value) if isinstance(value, str) else value
        given[path] = (kept, f"flag --{shown}")
    for path, (value, origin) in given.items():
        placed = _place(raw, path.split("."), value)
        if placed is None:
            faults.append(Fault(file=origin, message=f'"{path}" lies below what is no table'))
        else:
            source.origins[placed] = origin
    return faults


def _place(raw: Raw, parts: list[str], value: object) -> str | None:
    """Sets a value below tables, made as needed; its path, with names as the file spells them."""
    path = ""
    table: Any = raw
    for place, part in enumerate(parts):
        if not isinstance(table, dict):
            return None
        key = next((each for each in table if each.lower().replace("-", "_") == part), part)
        path = join(path, key)
        if place == len(parts) - 1:
            table[key] = value
        else:
            table = table.setdefault(key, {})
    return path


def _discovered(raw: Raw, source: Source) -> list[Fault]:
    """The client key and the providers of the environment, and what holds where nothing is said."""
    server, auth = raw.get("server"), raw.setdefault("auth", {})
    if source.env.get(CLIENT_KEY, "").strip() and isinstance(auth, dict):
        if "keys" not in auth:
            auth["keys"] = [{"key": f"env:{CLIENT_KEY}"}]
            source.origins["auth.keys"] = f"env {CLIENT_KEY}"
        elif CLIENT_KEY not in str(auth["keys"]):
            message = "not used: [auth] keys are given elsewhere, and do not name it"
            source.warnings.append(Fault(file=f"env {CLIENT_KEY}", message=message))
    providers = raw.setdefault("providers", {})
    if not isinstance(providers, dict):
        return []
    server = server if isinstance(server, dict) else {}
    discovering = str(server.get("discover")).lower() != "false"
    imported = _imported(server, source, discovering)
    env = source.env if discovering else imported.own(source.env)
    configured = list(providers)
    found = discover(env, addressed(), configured, written(imported, env))
    added = list(_completed(providers, found.providers, "providers"))
    origins = {path: found.origins[path] for path in added if path in found.origins}
    if not providers:
        providers["echo"] = {"use": "echo"}
    discovered = [name for name in found.providers if name not in configured]
    origins |= merge_defaults(raw, imported, discovered)
    source.origins.update(origins)
    source.warnings += found.warnings + imported.warnings
    return found.faults + imported.faults


def _imported(server: Raw, source: Source, discovering: bool) -> Imported:
    """What files of vandamme-proxy say: the one that is named, or those that are looked up."""
    named = server.get("vandamme_config")
    if isinstance(named, str) and named.strip():
        text = source.env.get(named.removeprefix("env:"), "") if named[:4] == "env:" else named
        return read([Path(text)])
    return read(looked_up(source.env) if discovering else [])


def _alias_variables(raw: Raw, source: Source) -> None:
    """What `big` and `small` are, from variables that clients have too: the file wins."""
    aliases = raw.setdefault("aliases", {})
    providers, profiles = raw.get("providers"), raw.get("profiles") or {}
    tables = [each for each in (aliases, providers, profiles) if isinstance(each, dict)]
    if len(tables) < 3:
        return
    names = {fold(name) for table in tables[1:] for name in table}
    taken = [fold(alias) for alias in aliases]
    for word, variable in WORDS.items():
        model = source.env.get(variable, "").strip()
        prefix, colon, _ = model.removeprefix("!").partition(":")
        if not model or word in taken or fold(model) in WORDS:
            continue
        if colon and fold(prefix) not in names:
            message = f'not used: there is no provider "{prefix}"'
            source.warnings.append(Fault(file=f"env {variable}", message=message))
            continue
        aliases[word] = [model]
        source.origins[join("aliases", word)] = f"env {variable}"


def _default_profile(raw: Raw, source: Source) -> None:
    """A profile may be given where a default provider is; the provider is then worked out."""
    routing, profiles = raw.get("routing"), raw.get("profiles")
    if not isinstance(routing, dict) or not isinstance(profiles, dict):
        return
    default, providers = routing.get("default_provider"), raw.get("providers")
    named = [name for name in profiles if isinstance(default, str) and fold(name) == fold(default)]
    if named and default not in (providers or {}) and not routing.get("default_profile"):
        del routing["default_provider"]
        routing["default_profile"] = str(named[0])
        origin = source.origins.pop("routing.default_provider", "")
        if origin:
            source.origins["routing.default_profile"] = origin


def _retries(links: list[Any], source: Source) -> None:
    """The tries of "fallback" from the variable of retries, and of variables without effect."""
    text = source.env.get(RETRIES, "").strip()
    for place, link in enumerate(links):
        if text and isinstance(link, dict) and link.get("use") == "fallback":
            link["attempts"] = int(text) + 1 if text.isdecimal() else EnvText(text)
            source.origins[f"middleware[{place}].attempts"] = f"env {RETRIES}"
    unused = [name for name in UNUSED if source.env.get(name, "").strip()]
    message = "not used: nothing here answers to it"
    source.warnings += [Fault(file=f"env {name}", message=message) for name in unused]


def _chain() -> list[Raw]:
    return [{"use": name} for name in CHAIN]


def _completed(table: Raw, options: Raw, at: str) -> Iterator[str]:
    """Adds the options that a table lacks, and to the tables in it likewise; the paths added."""
    for key, value in options.items():
        path = join(at, key)
        if key not in table:
            yield path
        if isinstance(value, dict):
            inner = table.setdefault(key, {})
            if isinstance(inner, dict):
                yield from _completed(inner, value, path)
        else:
            table.setdefault(key, value)


def _members(tables: Tables) -> Raw:
    members = {name: getattr(tables, name) for name in tables.__struct_fields__}
    members["middleware"] = [RedactedTable(table) for table in tables.middleware]
    members["providers"] = {name: RedactedTable(table) for name, table in tables.providers.items()}
    return members


def _semantic(config: Config, raw: Raw) -> list[Fault]:
    """What is wrong although each option is of its type."""
    faults = list(_name_faults(config))
    for kind in ("name", "key"):
        values = [getattr(key, kind) for key in config.auth.keys if getattr(key, kind)]
        twice = [place for place, value in enumerate(values) if value in values[:place]]
        message = f"the same {kind} stands in [auth] keys twice"
        faults += [Fault(path=f"auth.keys[{place}].{kind}", message=message) for place in twice]
    server = config.server
    auth = raw.get("auth")
    no_keys = isinstance(auth, dict) and not auth.get("keys")
    if no_keys and not server.insecure_no_auth and not is_loopback(server.host):
        message = (
            f'"{server.host}" can be reached from other machines, and no client needs a key: set '
            "PROXY_API_KEY or [auth] keys, or listen on 127.0.0.1; "
            "--insecure-no-auth serves whoever can connect, at your expense"
        )
        faults.append(Fault(path="server.host", message=message))
    return faults


def _name_faults(config: Config) -> Iterator[Fault]:
    """Names of providers and profiles that stand for nothing, or for two things."""
    providers = {fold(name): name for name in config.providers}
    for kind, names in (("provider", config.providers), ("profile", config.profiles)):
        for name in names:
            path = join(f"{kind}s", name)
            if not name.replace("-", "").replace("_", "").isalnum() or name in ("env", "file"):
                message = f"no name for a {kind}: letters, digits, - and _ are"
                yield Fault(path=path, message=f"{message}; env and file are taken")
            elif kind == "profile" and fold(name) in providers:
                message = f'a provider is called "{providers[fold(name)]}" too'
                yield Fault(path=path, message=f'{message}: "{name}:model" could mean either')
    folded = [fold(name) for name in config.profiles]
    for place, name in enumerate(config.profiles):
        if folded[place] in folded[:place]:
            yield Fault(path=join("profiles", name), message="stands here twice: case is not seen")
    default = config.routing.default_profile
    if default and fold(default) not in folded:
        message = f'there is no profile "{default}"'
        hint = nearest(default, config.profiles)
        yield Fault(path="routing.default_profile", message=message, hint=hint)


def fold(name: str) -> str:
    """The name of an alias or a profile as it is compared: without case, - and _ alike."""
    return name.lower().replace("_", "-")


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
