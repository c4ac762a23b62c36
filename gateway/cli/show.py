"""Options rendered for an operator, with every secret masked."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.capability.record import Capability, differing
from gateway.config.decode import join
from gateway.config.load import Config
from gateway.plugin import Provider
from gateway.secret import Secret

MASK = "***"
_TELLING = ("authorization", "cookie", "key", "secret", "token")


def toml(value: object, name: str = "") -> str:
    """Return a value as TOML; secrets, and texts named like a credential, are masked."""
    if isinstance(value, Secret) or (isinstance(value, str) and _tells(name)):
        return f'"{MASK}"'
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return msgspec.json.encode(str(value)).decode()
    if isinstance(value, Struct):
        return toml({key: each for key, each in members(value).items() if each is not None})
    if isinstance(value, Mapping):
        headers = name == "headers"
        pairs = (
            f"{join('', str(key))} = {toml(each, str(key) if headers else '')}"
            for key, each in value.items()
        )
        inner = ", ".join(pairs)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(toml(each, name) for each in value)}]"
    return str(value)


def members(struct: Struct) -> dict[str, Any]:
    """Return the options of a struct by their names in a file; default secrets are not masked."""
    return {
        each.encode_name: _plain(getattr(struct, each.name), each.default)
        for each in msgspec.structs.fields(struct)
    }


def _plain(value: object, default: object) -> object:
    """Return the value, or the text of a secret that equals its default."""
    return value.reveal() if isinstance(value, Secret) and value == default else value


def options(struct: Struct) -> str:
    """Return the options of a plugin on one line."""
    pairs = (f"{name} = {toml(value, name)}" for name, value in members(struct).items())
    return ", ".join(pairs)


def first_line(kind: type) -> str:
    """Return the first line of a class's docstring."""
    return (kind.__doc__ or "").strip().partition("\n")[0]


def listing(
    config: Config,
    providers: Mapping[str, Struct],
    links: list[Any],
    origin: Mapping[str, str],
    *,
    effective: bool,
) -> Iterator[str]:
    """Yield the lines of the configuration as TOML, each value with its origin.

    Without `effective`, options that are not set are left out.
    """
    for name in ("server", "log", "auth", "timeouts", "routing"):
        yield from _section(f"[{name}]", name, members(getattr(config, name)), origin, effective)
    yield from _section("[aliases]", "aliases", config.aliases, origin, effective)
    for name, profile in config.profiles.items():
        path = join("profiles", name)
        yield from _section(f"[{path}]", path, members(profile), origin, effective)
    for place, (table, link) in enumerate(zip(config.middleware, links, strict=True)):
        values = {"use": table.get("use")} | members(link)
        yield from _section("[[middleware]]", f"middleware[{place}]", values, origin, effective)
    for name, table in config.providers.items():
        path = join("providers", name)
        values = {"use": table.get("use", name)}
        values |= members(providers[name]) if name in providers else {}
        yield from _section(f"[{path}]", path, values, origin, effective)


def _section(
    head: str, path: str, values: Mapping[str, Any], origin: Mapping[str, str], effective: bool
) -> Iterator[str]:
    lines = []
    for key, value in values.items():
        place = join(path, key)
        found = _origin(place, origin)
        if found or effective or key == "use":
            shown = toml(value, "" if path == "aliases" else key)
            text = f"{'# ' if value is None else ''}{join('', key)} = {shown}"
            lines.append((text, found or "default"))
    if lines or head == "[[middleware]]":
        yield head
        width = min(max((len(text) for text, _ in lines), default=0), 60)
        yield from (f"{text:{width}}  # {found}" for text, found in lines)
        yield ""


def _origin(path: str, origin: Mapping[str, str]) -> str:
    """Return the origin of an option; for a table or a list, that of its first part."""
    if path in origin:
        return origin[path]
    below = (place for place in origin if place.startswith((f"{path}.", f"{path}[")))
    return next((origin[place] for place in below), "")


def origins(config: Config) -> dict[str, str]:
    """Return the origin of each option that is set, with the line for those of the file."""
    from gateway.config.positions import positions  # noqa: PLC0415 - native code, for this alone

    source = config.source
    lines = positions(source.text)
    return {
        path: f"{origin}:{lines[path][0]}"
        if origin == str(source.path) and path in lines
        else origin
        for path, origin in source.origins.items()
    }


def highlights(capability: Capability) -> str:
    """Return the capabilities of a model that differ from a plain Chat server's."""
    return ", ".join(f"{name} = {toml(each)}" for name, each in differing(capability).items())


def provider_line(name: str, use: str, provider: Provider) -> str:
    """Return a provider on one line: its class, dialects and address."""
    url = getattr(provider, "base_url", "") or getattr(provider, "default_url", "")
    kind = f" ({use})" if use != name else ""
    spoken = "+".join(dialect.name for dialect in provider.dialects) or "nothing"
    return f"{name}{kind} speaks {spoken}" + (f" at {url}" if url else "")


def _tells(name: str) -> bool:
    return any(word in name.lower() for word in _TELLING)
