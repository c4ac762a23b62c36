"""Options as an operator reads them, with every secret masked."""

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
    """A value as TOML, secrets masked; a text whose name tells of a credential is one."""
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
    """The options of a struct by the names they have in a file; a default hides nothing."""
    return {
        each.encode_name: _plain(getattr(struct, each.name), each.default)
        for each in msgspec.structs.fields(struct)
    }


def _plain(value: object, default: object) -> object:
    """The value; the text of a secret that is the program's own."""
    return value.reveal() if isinstance(value, Secret) and value == default else value


def options(struct: Struct) -> str:
    """The options of a plugin on one line."""
    pairs = (f"{name} = {toml(value, name)}" for name, value in members(struct).items())
    return ", ".join(pairs)


def first_line(kind: type) -> str:
    """What a class says of itself in one line."""
    return (kind.__doc__ or "").strip().partition("\n")[0]


def listing(
    config: Config,
    providers: Mapping[str, Struct],
    links: list[Any],
    origin: Mapping[str, str],
    *,
    effective: bool,
) -> Iterator[str]:
    """The configuration as TOML, with where each value comes from; all of it, or what is set."""
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
    """Where an option comes from; one that is a table or a list, from its first part."""
    if path in origin:
        return origin[path]
    below = (place for place in origin if place.startswith((f"{path}.", f"{path}[")))
    return next((origin[place] for place in below), "")


def origins(config: Config) -> dict[str, str]:
    """The place of each option that stands in the file, or came from a variable or a flag."""
    from gateway.config.positions import positions  # noqa: PLC0415 - native code, for this alone

    source = config.source
    found = {path: f"{source.path}:{line}" for path, (line, _) in positions(source.text).items()}
    return found | source.origins


def highlights(capability: Capability) -> str:
    """What a model takes that differs from a plain Chat server."""
    return ", ".join(f"{name} = {toml(each)}" for name, each in differing(capability).items())


def provider_line(name: str, use: str, provider: Provider) -> str:
    """A provider on one line: its class, its dialects and its address."""
    url = provider.base_url or provider.default_url
    kind = f" ({use})" if use != name else ""
    spoken = "+".join(dialect.name for dialect in provider.dialects) or "nothing"
    return f"{name}{kind} speaks {spoken}" + (f" at {url}" if url else "")


def _tells(name: str) -> bool:
    return any(word in name.lower() for word in _TELLING)
