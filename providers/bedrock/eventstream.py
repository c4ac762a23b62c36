"""AWS event streams (`application/vnd.amazon.eventstream`): bytes in, messages out.

A message is its total length, the length of its headers and the CRC-32 of those two (the prelude),
the headers, the payload, and the CRC-32 of all that. Numbers are big-endian. A header is the length
of its name (one byte), the name, its type (one byte) and its value; strings and bytes carry their
length (two bytes) before them.
"""

from struct import Struct as Packed, error as Short
from zlib import crc32

from msgspec import Struct

from gateway.errors import BadAnswer

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
LENGTH_LIMIT = 24 * 1024 * 1024
HEADERS_LIMIT = 128 * 1024
_PRELUDE = Packed(">III")
_CRC = Packed(">I")
_SHORT = Packed(">H")
_LEAST = _PRELUDE.size + _CRC.size
_STRING = 7
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the types that have a fixed size: booleans, integers, a timestamp, a UUID."""
_SIZED = frozenset({6, _STRING})


class Message(Struct, frozen=True):
    """One message; of its headers those that are strings."""

    headers: dict[str, str]
    payload: bytes


class Unframer:
    """Cuts chunks, however they arrived, into messages."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._length = 0
        """Of the message that has begun; 0 until its prelude is here."""
        self.fault: BadAnswer | None = None
        """What is wrong with the bytes after the last message; nothing more is read then."""

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._pending)

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that this chunk completes; sets `fault` where bytes are none."""
        if self.fault is not None:
            return []
        self._pending += chunk
        found: list[Message] = []
        try:
            while (message := self._next()) is not None:
                found.append(message)
        except BadAnswer as fault:
            self.fault = fault
        return found

    def _next(self) -> Message | None:
        pending = self._pending
        if not self._length:
            if len(pending) < _PRELUDE.size:
                return None
            self._length = _length(pending)
        if len(pending) < self._length:
            return None
        whole = bytes(pending[: self._length])
        del pending[: self._length]
        self._length = 0
        return _message(whole)


def _length(prelude: bytearray) -> int:
    """The length of the message that begins so. BadAnswer, before any of it is waited for."""
    length, headers, crc = _PRELUDE.unpack_from(prelude)
    if crc32(prelude[:8]) != crc:
        raise BadAnswer("the upstream's event stream is damaged: the checksum of a prelude differs")
    if not _LEAST <= length <= LENGTH_LIMIT or headers > min(HEADERS_LIMIT, length - _LEAST):
        raise BadAnswer(f"the upstream sent an event of {length} bytes, which is over the limit")
    return int(length)


def _message(whole: bytes) -> Message:
    body = len(whole) - _CRC.size
    if crc32(memoryview(whole)[:body]) != _CRC.unpack_from(whole, body)[0]:
        raise BadAnswer("the upstream's event stream is damaged: the checksum of an event differs")
    end = _PRELUDE.size + _PRELUDE.unpack_from(whole)[1]
    return Message(_headers(whole[_PRELUDE.size : end]), whole[end:body])


def _headers(data: bytes) -> dict[str, str]:
    """The string headers; BadAnswer where they do not fill their place exactly."""
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            start = at + 1
            at = start + data[at]
            name, kind = data[start:at].decode(), data[at]
            at += 1
            if kind in _SIZED:
                (size,) = _SHORT.unpack_from(data, at)
                at += _SHORT.size
            else:
                size = _FIXED[kind]
            if kind == _STRING:
                found[name] = data[at : at + size].decode()
            at += size
    except (IndexError, KeyError, UnicodeDecodeError, Short):
        at = -1
    if at != len(data):
        raise BadAnswer("the upstream sent an event whose headers cannot be read")
    return found
