"""Plain data as block-style YAML 1.1 and 1.2: tables, lists and scalars, nothing else."""

import re
from collections.abc import Iterator, Mapping

from gateway.edge.operation import Ask, say
from gateway.errors import InvalidRequest
from gateway.reply import Reply

_TYPES = ("text/yaml", "application/yaml", "text/x-yaml", "application/x-yaml")
_PLAIN = re.compile(r"[A-Za-z_/](?:[\w./+@()%-]|:(?=[\w/.])| (?=[\w/(]))*", re.ASCII)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_QUOTABLE = re.compile(r"[ -~]*")


def shown(ask: Ask, data: Mapping[str, object]) -> Reply:
    """The data as JSON, or as YAML where the client prefers that."""
    form = ask.query.get("format", "").lower()
    if form not in ("", "json", "yaml"):
        raise InvalidRequest('format must be "json" or "yaml"', param="format")
    accepted = ask.header(b"accept").lower()
    if form == "yaml" or (not form and any(each in accepted for each in _TYPES)):
        reply = say(data)
        return Reply(
            reply.status,
            reply.dialect,
            dump(data).encode(),
            [(b"content-type", b"application/yaml; charset=utf-8"), (b"vary", b"accept")],
        )
    return say(data, headers=[(b"vary", b"accept")])


def dump(data: Mapping[str, object]) -> str:
    """A table as a YAML document."""
    return "".join(f"{line}\n" for line in _table(data, "")) or "{}\n"


def _table(data: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, value in data.items():
        yield from _pair(f"{indent}{_scalar(str(key))}:", value, indent + "  ")


def _pair(head: str, value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _table(value, indent)
    elif isinstance(value, list | tuple) and value:
        yield head
        for item in value:
            yield from _item(item, indent)
    else:
        yield f"{head} {_scalar(value)}"


def _item(item: object, indent: str) -> Iterator[str]:
    if isinstance(item, Mapping) and item:
        lines = list(_table(item, indent + "  "))
        yield f"{indent}- {lines[0].lstrip()}"
        yield from lines[1:]
    elif isinstance(item, list | tuple) and item:
        yield f"{indent}-"
        for inner in item:
            yield from _item(inner, indent + "  ")
    else:
        yield f"{indent}- {_scalar(item)}"


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _text(str(value))


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if _QUOTABLE.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if " " <= char <= "~" and char not in '"\\':
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
