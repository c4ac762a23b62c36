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
MAX_MESSAGE_BYTES = 24 * 1024 * 1024
MAX_HEADER_BYTES = 128 * 1024
_PRELUDE = Packed(">III")
_CRC = Packed(">I")
_LENGTH_PREFIX = Packed(">H")
_MIN_MESSAGE_BYTES = _PRELUDE.size + _CRC.size
_STRING_TYPE = 7
_FIXED_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the types that have a fixed size: booleans, integers, a timestamp, a UUID."""
_SIZED_TYPES = frozenset({6, _STRING_TYPE})


class EventStreamMessage(Struct, frozen=True):
    """One message; of its headers those that are strings."""

    headers: dict[str, str]
    payload: bytes


class EventStreamDecoder:
    """Cuts chunks, however they arrived, into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._message_length = 0
        """Of the message that has begun; 0 until its prelude is here."""
        self.fault: BadAnswer | None = None
        """What is wrong with the bytes after the last message; nothing more is read then."""

    @property
    def has_pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer)

    def feed(self, chunk: bytes) -> list[EventStreamMessage]:
        """The messages that this chunk completes; sets `fault` where bytes are none."""
        if self.fault is not None:
            return []
        self._buffer += chunk
        found: list[EventStreamMessage] = []
        try:
            while (message := self._next_message()) is not None:
                found.append(message)
        except BadAnswer as fault:
            self.fault = fault
        return found

    def _next_message(self) -> EventStreamMessage | None:
        pending = self._buffer
        if not self._message_length:
            if len(pending) < _PRELUDE.size:
                return None
            self._message_length = _parse_length(pending)
        if len(pending) < self._message_length:
            return None
        whole = bytes(pending[: self._message_length])
        del pending[: self._message_length]
        self._message_length = 0
        return _parse_message(whole)


def _parse_length(prelude: bytearray) -> int:
    """The length of the message that begins so. BadAnswer, before any of it is waited for."""
    length, headers, crc = _PRELUDE.unpack_from(prelude)
    if crc32(prelude[:8]) != crc:
        raise BadAnswer("the upstream's event stream is damaged: the checksum of a prelude differs")
    if not _MIN_MESSAGE_BYTES <= length <= MAX_MESSAGE_BYTES or headers > min(
        MAX_HEADER_BYTES, length - _MIN_MESSAGE_BYTES
    ):
        raise BadAnswer(f"the upstream sent an event of {length} bytes, which is over the limit")
    return int(length)


def _parse_message(whole: bytes) -> EventStreamMessage:
    body = len(whole) - _CRC.size
    if crc32(memoryview(whole)[:body]) != _CRC.unpack_from(whole, body)[0]:
        raise BadAnswer("the upstream's event stream is damaged: the checksum of an event differs")
    end = _PRELUDE.size + _PRELUDE.unpack_from(whole)[1]
    return EventStreamMessage(_parse_headers(whole[_PRELUDE.size : end]), whole[end:body])


def _parse_headers(data: bytes) -> dict[str, str]:
    """The string headers; BadAnswer where they do not fill their place exactly."""
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            start = at + 1
            at = start + data[at]
            name, kind = data[start:at].decode(), data[at]
            at += 1
            if kind in _SIZED_TYPES:
                (size,) = _LENGTH_PREFIX.unpack_from(data, at)
                at += _LENGTH_PREFIX.size
            else:
                size = _FIXED_SIZES[kind]
            if kind == _STRING_TYPE:
                found[name] = data[at : at + size].decode()
            at += size
    except (IndexError, KeyError, UnicodeDecodeError, Short):
        at = -1
    if at != len(data):
        raise BadAnswer("the upstream sent an event whose headers cannot be read")
    return found
