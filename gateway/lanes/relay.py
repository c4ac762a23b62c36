"""The same-dialect lane of a stream: bytes pass as they are, edited only where they must be."""

from collections.abc import Callable
from typing import Self

from gateway.call import Call, Record
from gateway.dialect import Dialect
from gateway.errors import Cut, GatewayError
from gateway.lanes.step import Step
from gateway.neutral.events import Usage
from gateway.wire.sse import FRAME_LIMIT, Splitter, data_of, events_in

TAIL = 4096


HOLD_LIMIT = FRAME_LIMIT
"""Bytes of one unfinished event that are held back; a longer one is passed on in pieces."""


_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


_NO_SECRET = bytes(32)
"""Stands for the key of a provider without one: no event holds it."""


Edit = Callable[[bytes], bytes]
"""A change made to whole events in their own dialect; what needs none is given back as it came."""


class Relay(Step):
    """The byte lane: chunks pass as they came, cut at ends of events; usage is read on the side.

    What the upstream adds because the gateway alone asked for it (`unasked` tells that of an
    event's data) goes no further; `edit` mends the flaws that a server is known for.
    """

    def __init__(
        self,
        dialect: Dialect,
        record: Record,
        unasked: Callable[[bytes], bool] | None = None,
        edit: Edit | None = None,
    ) -> None:
        self.done = False
        self.cut = False
        self.error: GatewayError | None = None
        self._dialect = dialect
        self._record = record
        self._unasked = unasked
        self._edit = edit
        self._held: list[bytes] = []
        self._held_size = 0
        self._tail = b""
        self._secret = b""  # of the attempt whose stream this is, once it has begun

    @classmethod
    def of(cls, dialect: Dialect, call: Call) -> Self:
        """The lane of a stream in which nothing is changed."""
        return cls(dialect, call.record)

    def feed(self, chunk: bytes) -> bytes:
        """The chunk itself where it ends with an event; else what of it does."""
        if self._held:
            if not chunk:  # many of them would push what came before out of `_may_end`'s sight
                return b""
            self._held.append(chunk)
            self._held_size += len(chunk)
            if not _may_end(self._held) and self._held_size < HOLD_LIMIT:
                return b""
            chunk = b"".join(self._held)
            self._held.clear()
        if not chunk.endswith(_ENDS) and len(chunk) < HOLD_LIMIT:
            cut = max(chunk.rfind(end) + len(end) if end in chunk else 0 for end in _ENDS)
            chunk, rest = chunk[:cut], chunk[cut:]
            self._held.append(rest)
            self._held_size = len(rest)
        # Not with `in`, which for bytes first tries a number, and drops the error that this is.
        if chunk.find(self._secret or self._learned_secret()) >= 0:
            chunk = self._masked(chunk)
        size = len(chunk)
        self._tail = chunk if size >= TAIL else self._tail[size - TAIL :] + chunk
        self.done = chunk.endswith(self._dialect.terminators)  # what may follow says nothing more
        if self._edit is None and chunk.find(b'_tokens"') < 0:
            return chunk  # nearly all of them; a null usage, as each chunk may have, tells nothing
        return self._passed(chunk)

    def finish(self) -> bytes:
        """A last event without its blank line gets one; Cut is due where the ending never came."""
        rest = self._masked(b"".join(self._held))
        tail = self._tail + rest
        if self._dialect.is_complete(tail) or self._told(tail):
            return self._passed(rest + b"\n\n") if rest.strip() else b""
        self.error = Cut("the upstream closed the stream before the answer was complete")
        return b""

    def _learned_secret(self) -> bytes:
        # By its first chunk the stream is that of the last attempt.
        secret = self._record.secret
        self._secret = (secret.reveal().encode() if secret else b"") or _NO_SECRET
        return self._secret

    def _masked(self, events: bytes) -> bytes:
        """The events without the gateway's key, which an error may quote; an answer is let be."""
        secret = self._secret or self._learned_secret()
        return events.replace(secret, b"***") if events.find(b'"error"') >= 0 else events

    def _told(self, tail: bytes) -> bool:
        """Whether the upstream told an error of its own: a second one would hide it."""
        if b"error" not in tail:
            return False
        frames = Splitter().feed(tail + b"\n\n")
        return any(self._dialect.stream_error(frame) is not None for frame in frames)

    def _passed(self, chunk: bytes) -> bytes:
        """What the client gets of whole events; their usage is counted."""
        if chunk and self._edit is not None:
            chunk = self._edit(chunk)
        return self._tapped(chunk) if chunk.find(b'_tokens"') >= 0 else chunk

    def _tapped(self, chunk: bytes) -> bytes:
        kept: list[bytes] = []
        for event in events_in(chunk):
            data = data_of(event) if event.find(b'_tokens"') >= 0 else b""
            if data and (usage := self._dialect.summarize(data).usage) is not None:
                self._record.usage = merged(self._record.usage, usage)
                if self._unasked is not None and self._unasked(data):
                    continue
            kept.append(event)
        return b"".join(kept)


def merged(old: Usage | None, new: Usage) -> Usage:
    """Usage told in pieces: the later count wins where it is more than nothing."""
    if old is None:
        return new
    return Usage(
        new.input or old.input,
        new.output or old.output,
        new.cache_read or old.cache_read,
        new.cache_write or old.cache_write,
        new.reasoning if new.reasoning is not None else old.reasoning,
    )


def _may_end(pieces: list[bytes]) -> bool:
    last = pieces[-1]
    seam = b"".join(pieces[-4:-1])[-3:] + last[:3]  # an end of four bytes may lie in four pieces
    return any(end in last or end in seam for end in _ENDS)
