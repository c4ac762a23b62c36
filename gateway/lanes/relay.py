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
"""Last bytes of a stream that are searched for its ending."""
HOLD_LIMIT = FRAME_LIMIT
"""Bytes of one unfinished event that are held back; a longer one is passed on in pieces."""
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_NO_SECRET = bytes(32)
"""Replaces the key of a provider without one; no event contains it."""

Edit = Callable[[bytes], bytes]
"""Edits whole events in their own dialect; returns the same object if there is nothing to edit."""


class Relay(Step):
    """The same-dialect lane: passes chunks on, cut at ends of events, and records the usage.

    Events whose data `unasked` accepts were requested by the gateway alone and are left out;
    `edit` repairs known faults of a server.
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
        self._secret = b""  # the key of the attempt that made this stream, once it has started

    @classmethod
    def of(cls, dialect: Dialect, call: Call) -> Self:
        """The lane of a stream whose events are not edited."""
        return cls(dialect, call.record)

    def feed(self, chunk: bytes) -> bytes:
        """The complete events of the chunk and of what was held back; the rest waits."""
        if self._held:
            if not chunk:  # `_may_end` reads the last pieces only: none may be empty
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
        # `in` on bytes is slower: it first tries the operand as a number, which raises inside.
        if chunk.find(self._secret or self._learned_secret()) >= 0:
            chunk = self._masked(chunk)
        size = len(chunk)
        self._tail = chunk if size >= TAIL else self._tail[size - TAIL :] + chunk
        self.done = chunk.endswith(self._dialect.terminators)  # nothing of use follows
        if self._edit is None and chunk.find(b'_tokens"') < 0:
            return chunk  # the usual case; a null usage, as each chunk may have, has no counts
        return self._passed(chunk)

    def finish(self) -> bytes:
        """The last event, completed by a blank line; sets `error` to Cut if there is no ending."""
        rest = self._masked(b"".join(self._held))
        tail = self._tail + rest
        if self._dialect.is_complete(tail) or self._told(tail):
            return self._passed(rest + b"\n\n") if rest.strip() else b""
        self.error = Cut("the upstream closed the stream before the answer was complete")
        return b""

    def _learned_secret(self) -> bytes:
        # The first chunk belongs to the last attempt, so the record has its key.
        secret = self._record.secret
        self._secret = (secret.reveal().encode() if secret else b"") or _NO_SECRET
        return self._secret

    def _masked(self, events: bytes) -> bytes:
        """The events with the gateway's key masked, if they hold an error that may quote it."""
        secret = self._secret or self._learned_secret()
        return events.replace(secret, b"***") if events.find(b'"error"') >= 0 else events

    def _told(self, tail: bytes) -> bool:
        """Whether the upstream sent an error itself: a second one would hide it."""
        if b"error" not in tail:
            return False
        frames = Splitter().feed(tail + b"\n\n")
        return any(self._dialect.stream_error(frame) is not None for frame in frames)

    def _passed(self, chunk: bytes) -> bytes:
        """The bytes of whole events for the client; records their usage."""
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
    """Two partial usages as one: each later count replaces the earlier one unless it is 0."""
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
    seam = b"".join(pieces[-4:-1])[-3:] + last[:3]  # an end of 4 bytes may be spread over 4 pieces
    return any(end in last or end in seam for end in _ENDS)
