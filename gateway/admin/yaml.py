"""Plain data as block-style YAML 1.1 and 1.2: tables, lists and scalars, nothing else."""

import re
from collections.abc import Iterator, Mapping

from gateway.edge.operation import ApiRequest, json_reply
from gateway.errors import InvalidRequest
from gateway.reply import Reply

_YAML_TYPES = ("text/yaml", "application/yaml", "text/x-yaml", "application/x-yaml")
_PLAIN_TEXT = re.compile(r"[A-Za-z_/](?:[\w./+@()%-]|:(?=[\w/.])| (?=[\w/(]))*", re.ASCII)
_RESERVED_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_QUOTABLE = re.compile(r"[ -~]*")


def json_or_yaml_reply(ask: ApiRequest, data: Mapping[str, object]) -> Reply:
    """The data as JSON, or as YAML where the client prefers that."""
    form = ask.query.get("format", "").lower()
    if form not in ("", "json", "yaml"):
        raise InvalidRequest('format must be "json" or "yaml"', param="format")
    accepted = ask.get_header(b"accept").lower()
    if form == "yaml" or (not form and any(each in accepted for each in _YAML_TYPES)):
        reply = json_reply(data)
        return Reply(
            reply.status,
            reply.dialect,
            render_yaml(data).encode(),
            [(b"content-type", b"application/yaml; charset=utf-8"), (b"vary", b"accept")],
        )
    return json_reply(data, headers=[(b"vary", b"accept")])


def render_yaml(data: Mapping[str, object]) -> str:
    """A table as a YAML document."""
    return "".join(f"{line}\n" for line in _render_table(data, "")) or "{}\n"


def _render_table(data: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, value in data.items():
        yield from _render_pair(f"{indent}{_render_scalar(str(key))}:", value, indent + "  ")


def _render_pair(head: str, value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _render_table(value, indent)
    elif isinstance(value, list | tuple) and value:
        yield head
        for item in value:
            yield from _render_item(item, indent)
    else:
        yield f"{head} {_render_scalar(value)}"


def _render_item(item: object, indent: str) -> Iterator[str]:
    if isinstance(item, Mapping) and item:
        lines = list(_render_table(item, indent + "  "))
        yield f"{indent}- {lines[0].lstrip()}"
        yield from lines[1:]
    elif isinstance(item, list | tuple) and item:
        yield f"{indent}-"
        for inner in item:
            yield from _render_item(inner, indent + "  ")
    else:
        yield f"{indent}- {_render_scalar(item)}"


def _render_scalar(value: object) -> str:
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
    return _render_text(str(value))


def _render_text(text: str) -> str:
    if _PLAIN_TEXT.fullmatch(text) and text.lower() not in _RESERVED_WORDS:
        return text
    if _QUOTABLE.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escape_char(char) for char in text) + '"'


def _escape_char(char: str) -> str:
    if " " <= char <= "~" and char not in '"\\':
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
