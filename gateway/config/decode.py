"""Decode raw tables to structs and find every fault in one pass.

msgspec stops at the first fault, so structs, tables and lists are walked here and msgspec converts
only the leaves. Works for any Struct, including those of third-party plugins.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, ValidationError
from msgspec.structs import FieldInfo

from gateway.config.faults import Fault
from gateway.config.messages import nearest, plain
from gateway.secret import PASSTHROUGH, Secret

T = TypeVar("T", bound=Struct)

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = r"([A-Za-z_][A-Za-z0-9_]*)"
_OPEN = re.compile(r"memory|off|embedded|[a-z]+://[^@]*").fullmatch
"""Matches the address of a store without a password, which is not secret."""
_REFERENCE = re.compile(rf"env:{_NAME}|\$\{{{_NAME}\}}")


_HOLDERS = (list, set, frozenset, tuple, dict)


class EnvText(str):
    """Text of a variable or flag, parsed as a number, boolean or list where one is expected."""

    __slots__ = ()


class _Wrong:
    """Marks a value that could not be decoded."""


_WRONG: Final = _Wrong()


def join(path: str, key: str | int) -> str:
    """Return the path of a key or a list index below another path."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = key if _BARE.fullmatch(key) else f'"{key}"'
    return f"{path}.{name}" if path else name


def unquoted(raw: EnvText) -> object:
    """Parse a text as a TOML value, else as a comma-separated list."""
    try:
        value: object = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return [EnvText(part.strip()) for part in raw.split(",") if part.strip()]
    return value


class Decoder:
    """One pass over raw tables; collects faults, warnings and missing variables."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.missing: list[Fault] = []
        self.lost: list[str] = []  # options without a value because of what is missing
        self._env = env

    def struct(self, raw: Mapping[str, Any], kind: type[T], at: str, skip: str = "") -> T | None:
        """Decode a table to a struct; None if it has a fault. The key `skip` is ignored."""
        fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
        tag = kind.__struct_config__.tag_field
        values: dict[str, Any] = {}
        whole = True
        for key, value in raw.items():
            if key in fields:
                faults = len(self.faults)
                made = self._value(value, fields[key].type, join(at, key))
                if not isinstance(made, _Wrong):
                    values[fields[key].name] = made
                    continue
                whole = whole and not fields[key].required
                if faults == len(self.faults):
                    self.lost.append(join(at, key))
            elif key not in (skip, tag):
                self._unknown(key, fields, join(at, key))
        for key in [key for key, each in fields.items() if each.required and key not in raw]:
            whole = False
            self._fault(at, f'"{key}" is missing; it must be given')
        return self._made(kind, values, at) if whole else None

    def _made(self, kind: type[T], values: dict[str, Any], at: str) -> T | None:
        try:
            return kind(**values)
        except (TypeError, ValueError) as fault:  # of its __post_init__
            self._fault(at, str(fault))
            return None

    def _unknown(self, key: str, fields: Mapping[str, FieldInfo], at: str) -> None:
        hint = nearest(key, fields)
        owners = [name for name, each in fields.items() if key in _inner_names(each.type)]
        if owners and not hint:
            self._fault(at, f'there is no such option here; "{key}" belongs under [{owners[0]}]')
        else:
            self._fault(at, "there is no such option", hint)

    def _value(self, raw: object, kind: Any, at: str) -> object:
        kinds = _alternatives(kind)
        if isinstance(raw, EnvText):
            return self._loose(raw, kind, kinds, at)
        if isinstance(raw, str):
            return self._text(raw, kind, kinds, at)
        if isinstance(raw, Mapping):
            return self._mapping(raw, kind, kinds, at)
        if isinstance(raw, list):
            return self._list(raw, kind, kinds, at)
        return self._leaf(raw, kind, at)

    def _mapping(self, raw: Mapping[str, Any], kind: Any, kinds: list[Any], at: str) -> object:
        structs = [each for each in kinds if _is_struct(each)]
        if len(structs) == 1:
            made = self.struct(raw, structs[0], at)
            return _WRONG if made is None else made
        tables = [each for each in kinds if get_origin(each) in (dict, Mapping)]
        if not tables or get_args(tables[0])[1] is Any:
            return self._leaf(raw, kind, at)
        inner = get_args(tables[0])[1]
        items = {key: self._value(value, inner, join(at, key)) for key, value in raw.items()}
        return {key: value for key, value in items.items() if not isinstance(value, _Wrong)}

    def _list(self, raw: list[Any], kind: Any, kinds: list[Any], at: str) -> object:
        lists = [each for each in kinds if _is_list(each)]
        if not lists:
            return self._leaf(raw, kind, at)
        inner = get_args(lists[0])[0]
        kept: list[object] = []
        for place, value in enumerate(raw):
            if Secret in _alternatives(inner) and isinstance(value, str):
                kept += self._secrets(value, join(at, place))
            else:
                kept.append(self._value(value, inner, join(at, place)))
        good = [value for value in kept if not isinstance(value, _Wrong)]
        if (raw and not good) or not self._sized(raw, kind, at):
            return _WRONG
        return get_origin(lists[0])(good)

    def _sized(self, raw: list[Any], kind: Any, at: str) -> bool:
        metas = [each for each in getattr(kind, "__metadata__", ()) if isinstance(each, Meta)]
        return all(self._leaf(raw, Annotated[list[Any], meta], at) is not _WRONG for meta in metas)

    def _loose(self, raw: EnvText, kind: Any, kinds: list[Any], at: str) -> object:
        if str in kinds or _is_secret(kinds):
            return self._text(raw, kind, kinds, at)
        if not any(_is_struct(each) or get_origin(each) in _HOLDERS for each in kinds):
            return self._leaf(raw, kind, at, strict=False)
        return self._value(unquoted(raw), kind, at)

    def _text(self, raw: str, kind: Any, kinds: list[Any], at: str) -> object:
        if _is_secret(kinds):
            found = self._secrets(raw, at) if any(map(_is_list, kinds)) else [self._secret(raw, at)]
            several = Secret not in kinds or len(found) > 1
            return (found if several else found[0]) if found else _WRONG
        if str in kinds and _REFERENCE.fullmatch(raw):
            text = self._referred(raw, at)
            return _WRONG if text is None else self._leaf(text, kind, at)
        return self._leaf(raw, kind, at)

    def _secret(self, raw: str, at: str) -> Secret | _Wrong:
        text = self._referred(raw, at, secret=True)
        return _WRONG if text is None else self._key(text, at)

    def _secrets(self, raw: str, at: str) -> list[Secret]:
        """Return the keys in one text: a variable may hold several, separated by spaces."""
        text = self._referred(raw, at, secret=True) or ""
        parts = text.split() if text != raw else [text]
        found = [self._key(part, at) for part in parts if part]
        return [each for each in found if isinstance(each, Secret)]

    def _key(self, text: str, at: str) -> Secret | _Wrong:
        if at != "server.seal_key" and (
            not text.isascii() or not text.isprintable() or " " in text
        ):
            self._fault(at, "the key holds a space or a character that no header can carry")
            return _WRONG
        return Secret(text)

    def _referred(self, raw: str, at: str, *, secret: bool = False) -> str | None:
        """Resolve a reference, or return the text itself; None, with a reason, if it fails."""
        found = _REFERENCE.fullmatch(raw)
        if found:
            name = found[1] or found[2]
            text = self._env.get(name, "").strip()
            if not text:
                self._lack(at, f"the environment variable {name} is not set")
            return text or None
        if raw.startswith("file:"):
            return self._read(Path(raw.removeprefix("file:")), at)
        if not raw.strip() or raw.startswith("env:") or "${" in raw:
            self._fault(at, 'a key is written as "env:NAME", "file:/path" or "${NAME}", alone')
            return None
        if secret and raw != PASSTHROUGH and not _OPEN(raw) and not isinstance(raw, EnvText):
            self.warnings.append(Fault(path=at, message="a key stands in the file; use env:NAME"))
        return raw

    def _read(self, path: Path, at: str) -> str | None:
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else "it is no text"
            self._lack(at, f"cannot read {path}: {reason}")
            return None
        if not text:
            self._lack(at, f"{path} is empty")
        return text or None

    def _leaf(self, raw: object, kind: Any, at: str, *, strict: bool = True) -> object:
        raw = str(raw) if isinstance(raw, EnvText) else raw
        if _is_secret(_alternatives(kind)):
            self._fault(at, "expected a key as text")
            return _WRONG
        try:
            made: object = msgspec.convert(raw, kind, strict=strict, dec_hook=self._custom)
        except ValidationError as fault:
            message, below, hint = plain(fault, kind, raw)
            self._fault(at + below, message, hint)
            return _WRONG
        except TypeError as fault:  # a type that msgspec cannot read: the plugin's own doing
            self._fault(at, str(fault))
            return _WRONG
        if isinstance(made, float) and not math.isfinite(made):
            self._fault(at, f"expected a finite number, got {made}")
            return _WRONG
        return made

    def _custom(self, kind: type, raw: Any) -> object:
        if kind is not Secret:
            return kind(raw)
        found = self._secret(raw, "") if isinstance(raw, str) else _WRONG
        if isinstance(found, _Wrong):
            raise ValueError("expected a key as text")  # noqa: TRY004 - what msgspec reports as a fault
        return found

    def _fault(self, at: str, message: str, hint: str = "") -> None:
        self.faults.append(Fault(path=at, message=message, hint=hint))

    def _lack(self, at: str, message: str) -> None:
        self.missing.append(Fault(path=at, message=message))


def _alternatives(kind: Any) -> list[Any]:
    """Return the types a value may have, with unions and annotations resolved."""
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [one for each in get_args(kind) for one in _alternatives(each)]
    return [kind]


def _is_secret(kinds: list[Any]) -> bool:
    """Whether the value is a key, or a list of keys."""
    inner = [get_args(each)[0] for each in kinds if _is_list(each)]
    return Secret in kinds or any(Secret in _alternatives(each) for each in inner)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _is_list(kind: Any) -> bool:
    origin, args = get_origin(kind), get_args(kind)
    return origin in (list, set, frozenset) or (origin is tuple and args[1:] == (...,))


def _inner_names(kind: Any) -> list[str]:
    """Return the option names of the tables that an option of this type may hold."""
    return [
        name
        for each in _alternatives(kind)
        if _is_struct(each)
        for name in each.__struct_encode_fields__
    ]
