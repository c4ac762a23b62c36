"""Server-sent events: bytes to frames, and frames to bytes.

The rules are the WHATWG ones (lines end in LF, CRLF or CR; `data:` lines join with LF; one space
after the colon goes; lines that start with a colon are comments) with two that real servers need:
a byte-order mark at the start is dropped, and a last event needs no blank line.
"""

import re
from itertools import pairwise

from msgspec import Struct

from gateway.errors import BadAnswer

FRAME_LIMIT = 16 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"\n\n|\r\n\r\n|\r\r")


class Frame(Struct, frozen=True, gc=False):
    """One event: its name (empty when unnamed) and its data."""

    event: bytes
    data: bytes


class Splitter:
    """Cuts chunks of any size into frames."""

    __slots__ = ("_after_cr", "_fresh", "_limit", "_pending", "_size")

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._pending: list[bytes] = []  # the start of an event; joined once, when its end arrives
        self._size = 0
        self._fresh = True
        self._after_cr = False
        self._limit = limit

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that this chunk completes; BadAnswer when one is over the limit."""
        blocks = self.blocks(chunk)
        return [frame for block in blocks if (frame := frame_of(block)) is not None]

    def blocks(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes, as lines with LF, without the blank line."""
        if not chunk:
            return []  # it must not separate a CR from its LF
        if self._after_cr or chunk.find(b"\r") >= 0:  # `in` is slower: it raises inside
            chunk = self._lf_only(chunk)
        pending = self._pending
        if pending:
            if chunk.find(b"\n\n") < 0 and not (chunk[:1] == b"\n" and pending[-1][-1:] == b"\n"):
                self._hold(chunk)
                return []
            pending.append(chunk)
            chunk = b"".join(pending)
            pending.clear()
            self._size = 0
        if self._fresh:
            if len(chunk) < len(BOM) and BOM.startswith(chunk):
                self._hold(chunk)
                return []
            chunk = chunk.removeprefix(BOM)
            self._fresh = False
        if (
            chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and chunk.find(b"\n") + 2 == len(chunk)
        ):
            return [chunk[:-2]]  # one event of one line, as most chunks are
        if chunk.startswith(b"data: ") and chunk.endswith(b"\n\n"):
            lines = chunk.split(b"\n")  # by one byte, which is twice as fast as by two
            if len(lines) % 2 and not any(lines[1::2]):
                return lines[:-1:2]  # each event is one line
        blocks = chunk.split(b"\n\n")  # a blank line ends an event; what follows the last waits
        self._hold(blocks.pop())
        return blocks

    def finish(self) -> list[Frame]:
        """The event that was pending when the stream ended, if it holds data."""
        block = b"".join(self._pending)
        frame = frame_of(block.removeprefix(BOM) if self._fresh else block)
        self._pending.clear()
        return [frame] if frame is not None else []

    def _hold(self, chunk: bytes) -> None:
        if not chunk:
            return
        self._size += len(chunk)
        if self._size > self._limit:
            raise BadAnswer(f"upstream sent an event of more than {self._limit} bytes")
        self._pending.append(chunk)

    def _lf_only(self, chunk: bytes) -> bytes:
        # A CR ends its line at once; an LF right after it, even in the next chunk, belongs to it.
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r") if chunk else False
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def frame_of(block: bytes) -> Frame | None:
    """The frame in the lines of one event; None if it has no data."""
    if block.startswith(b"data: ") and block.find(b"\n") < 0:
        return Frame(b"", block[6:])
    event = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
    return Frame(event, b"\n".join(data)) if data else None


def events_in(chunk: bytes) -> list[bytes]:
    """The events of the chunk, each with the blank line that ends it."""
    if chunk.find(b"\r") < 0:
        blocks = chunk.split(b"\n\n")
        rest = blocks.pop()
        return [block + b"\n\n" for block in blocks] + ([rest] if rest else [])
    ends = [found.end() for found in _BLANK_LINE.finditer(chunk)]
    return [chunk[a:b] for a, b in pairwise((0, *ends, len(chunk))) if a < b]


def data_of(event: bytes) -> bytes:
    """The data of one event; empty where it has none."""
    if event.startswith(b"data: ") and event.endswith(b"\n\n") and event.count(b"\n") == 2:
        return event[6:-2]
    frames = Splitter().feed(event + b"\n\n")
    return frames[0].data if frames else b""


def frame(event: bytes, data: bytes) -> bytes:
    """The wire form of a named event."""
    return b"event: " + event + b"\ndata: " + data + b"\n\n"


def data_frame(data: bytes) -> bytes:
    """The wire form of an unnamed event."""
    return b"data: " + data + b"\n\n"
