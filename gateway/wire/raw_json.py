"""Decoding of JSON bodies, with a fallback for what msgspec refuses but clients send.

msgspec refuses lone surrogates, NaN and a byte-order mark, even inside `Raw`. The fallback reads
such a body with the standard library and keeps every value's own bytes.
"""

import json  # noqa: TID251  # the one reader that takes what msgspec refuses
import re
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Generic, TypeVar, overload

import msgspec
from msgspec import Raw

from gateway.errors import InvalidRequest
from gateway.wire.sse import BOM

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_CONSTANT = re.compile(r'"(?:[^"\\]++|\\.)*+"|(-?Infinity|NaN)', re.DOTALL)
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<place>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]+)`$")
_INDEX = re.compile(r"\[(\d+)\]")
LIST, OBJECT, TEXT = b'[{"'
"""The first bytes of a list, an object and a string."""
ABSENT = Raw(b"")
"""A raw member that is missing; of `Raw | None` msgspec would accept null only."""
NULL = Raw(b"null")
_SPACE = re.compile(r"[ \t\n\r]*")


class NotUtf8(msgspec.ValidationError, UnicodeDecodeError):
    """Text that is not UTF-8; for the edge a bad request body, for readers a wrong value."""


def encoded(members: Mapping[str, object]) -> dict[str, Raw]:
    """The members of an object, each value's own JSON."""
    return {name: Raw(_encode(value)) for name, value in members.items()}


def split_object(body: bytes) -> dict[str, Raw]:
    """The members of a JSON object, each value as its bytes. InvalidRequest names the position."""
    try:
        return _decode_fields(body)
    except msgspec.ValidationError:
        raise InvalidRequest("the request body must be a JSON object") from None
    except msgspec.DecodeError:
        return _split_slowly(body)
    except RecursionError:
        raise InvalidRequest("the request body is nested too deeply") from None


class Shape(Generic[T_co]):
    """A union or generic type to decode as.

    Hashing such a type to find its decoder takes longer than decoding a small value; a Shape is
    hashed by identity.
    """

    def __init__(self, type: Any) -> None:
        self.type = type


_decoders: dict[Any, Callable[[bytes | Raw], Any]] = {}


def _decoder(type: Any) -> Callable[[bytes | Raw], Any]:
    # Making a decoder costs more than decoding a small value.
    found = _decoders[type] = msgspec.json.Decoder(_bare(type)).decode
    return found


def _bare(type: Any) -> Any:
    return type.type if isinstance(type, Shape) else type


@overload
def decode(raw: bytes | Raw, type: Shape[T]) -> T: ...
@overload
def decode(raw: bytes | Raw, type: type[T]) -> T: ...
@overload
def decode(raw: bytes | Raw, type: UnionType) -> Any: ...
def decode(raw: bytes | Raw, type: Any) -> Any:
    """The value as that type; lone surrogates become U+FFFD. msgspec.ValidationError, NotUtf8."""
    known = _decoders.get(type) or _decoder(type)
    try:
        return known(raw)
    except msgspec.ValidationError:
        raise
    except RecursionError:
        raise msgspec.ValidationError("JSON is nested too deeply") from None
    except UnicodeDecodeError as fault:
        raise NotUtf8(*fault.args) from None
    except msgspec.DecodeError:
        value = _mended(bytes(raw))
    try:
        # msgspec.convert cannot make Raw members: hence the round trip.
        return msgspec.json.decode(msgspec.json.encode(value), type=_bare(type))
    except OverflowError as fault:
        raise msgspec.ValidationError(f"a number is out of range: {fault}") from None


@overload
def member(raw: Raw, type: Shape[T], path: str) -> T: ...
@overload
def member(raw: Raw, type: type[T], path: str) -> T: ...
@overload
def member(raw: Raw, type: UnionType, path: str) -> Any: ...
def member(raw: Raw, type: Any, path: str) -> Any:
    """The value at that path of a request; InvalidRequest names what is wrong, else NotUtf8."""
    known = _decoders.get(type) or _decoder(type)
    try:
        return known(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _member(raw, type, path)


def _member(raw: Raw, type: Any, path: str) -> Any:
    """As `member`, with the fallback of `decode`."""
    try:
        return decode(raw, type)
    except NotUtf8:
        raise  # the edge names the byte
    except msgspec.ValidationError as fault:
        raise _invalid(str(fault), path) from None


RAWS: Shape[list[Raw]] = Shape(list[Raw])
NUMBER: Shape[int | float] = Shape(int | float)


def present(raw: Raw) -> bool:
    """Whether a raw member is neither missing nor null."""
    return raw != ABSENT and raw != NULL


def opens(raw: Raw) -> int:
    """The first byte of a value, without copying the rest; -1 for an empty value."""
    view = memoryview(raw)
    return view[0] if view.nbytes else -1


def filled_list(raw: Raw) -> bool:
    """Whether the value begins as a list of objects; the rest is not read, which would be slow."""
    view = memoryview(raw)
    return view.nbytes > 2 and view[0] == LIST and view[1] == OBJECT


def _invalid(fault: str, path: str) -> InvalidRequest:
    found = _PLACE.match(fault)
    what, place = (found["what"], found["place"] or "") if found else (fault, "")
    where = path + _INDEX.sub(r".\1", place).replace("[...]", "")
    if missing := _MISSING.match(what):
        where, what = f"{where}.{missing['name']}", "Field required"
    return InvalidRequest(f"{where}: {what}", param=where)


def _mended(body: bytes) -> Any:
    """The value as the standard library reads it, without lone surrogates."""
    text = body.removeprefix(BOM).decode("utf-8", "replace")
    try:
        return _without_surrogates(json.loads(text, parse_constant=_refuse_constant))
    except ValueError as fault:
        raise msgspec.ValidationError(f"JSON is malformed: {fault}") from None
    except RecursionError:
        raise msgspec.ValidationError("JSON is nested too deeply") from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _split_slowly(body: bytes) -> dict[str, Raw]:
    try:
        text = body.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as bad:
        raise InvalidRequest(f"the request body is not UTF-8 at byte {bad.start}") from None
    try:
        return _members(text)
    except json.JSONDecodeError as bad:
        raise InvalidRequest(
            f"the request body is not JSON: {bad.msg} at line {bad.lineno}, column {bad.colno}"
        ) from None
    except ValueError as bad:
        raise InvalidRequest(f"the request body is not JSON: {bad}{_place(text)}") from None
    except RecursionError:
        raise InvalidRequest("the request body is nested too deeply") from None


def _place(text: str) -> str:
    """The position of the first NaN or Infinity, which the standard library does not report."""
    at = next(found.start() for found in _CONSTANT.finditer(text) if found[1])
    line, start = text.count("\n", 0, at) + 1, text.rfind("\n", 0, at)
    return f" at line {line}, column {at - start}"


def _members(text: str) -> dict[str, Raw]:
    """The members of the object in `text`; the last of two equal keys wins, as in msgspec."""
    # int refuses thousands of digits
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=float)
    whole, end = decoder.raw_decode(text, _skip(text, 0))
    if not isinstance(whole, dict):
        raise InvalidRequest("the request body must be a JSON object")
    if _skip(text, end) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    members: dict[str, Raw] = {}
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)  # past the colon
        _, stop = decoder.raw_decode(text, at)
        members[_without_surrogates(key)] = Raw(text[at:stop].encode())
        at = _skip(text, stop)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
