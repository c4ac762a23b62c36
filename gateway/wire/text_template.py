"""A short cut for the event that most streams are made of: one more piece of text.

The bytes before and after the text of one delta are kept. A later chunk that begins and ends with
the same bytes and has exactly one JSON string between them is the same chunk but for its text: JSON
is read from left to right, so equal bytes around a string mean an equal structure around it. A
fifth of the cost of a converted stream is saved so.
"""

import msgspec

_string = msgspec.json.Decoder(str).decode
_strings = msgspec.json.Decoder(list[str]).decode
_TRIES = 16
"""Chunks that may be learned from: a server that changes a member in each is not worth more."""


class TextDeltaTemplate:
    """What surrounds the text of a stream's deltas; `mark` begins the member that holds it."""

    __slots__ = ("_after", "_before", "_mark", "_start", "_stop", "_tries")

    def __init__(self, mark: bytes = b"") -> None:
        self._mark = mark
        self._tries = 0
        self.forget()

    def text(self, data: bytes) -> str | None:
        """The text of a chunk that runs in the groove; None for any other chunk."""
        if data.startswith(self._before) and data.endswith(self._after):
            try:
                text = _string(data[self._start : self._stop])
            except (msgspec.DecodeError, UnicodeDecodeError):
                return None  # more than one string stands there, or a lone surrogate
            self._tries = 0
            return text
        return None

    def texts(self, chunks: list[bytes]) -> list[str] | None:
        """The texts of several, as `text` tells them; None unless all of them run in the groove."""
        start, stop = self._start, self._stop
        quoted = [data[start:stop] for data in chunks]
        # To put them together again and compare is cheaper than two tests of each.
        rebuilt = (self._after + b"\n" + self._before).join(quoted)
        if self._before + rebuilt + self._after != b"\n".join(chunks):
            return None
        try:
            # No string holds a bare end of line: none reaches from one chunk into the next.
            texts = _strings(b"[" + b",\n".join(quoted) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return texts if len(texts) == len(chunks) else None

    def learn(self, data: bytes, text: str) -> None:
        """Take the bytes around the text of a chunk that holds nothing else."""
        if self._tries >= _TRIES:
            return
        self._tries += 1
        head, mark, rest = data.partition(self._mark)
        value = rest.lstrip(b" ")
        literal = msgspec.json.encode(text)
        # A text with other escapes than ours, or a member that comes twice, teaches nothing.
        if mark and value.startswith(literal) and mark not in value:
            self.set(head + mark + rest[: len(rest) - len(value)], value[len(literal) :])

    def set(self, before: bytes, after: bytes) -> None:
        """Take these bytes, learned elsewhere."""
        self._before, self._after = before, after
        self._start, self._stop = len(before), -len(after)

    @property
    def affixes(self) -> tuple[bytes, bytes] | None:
        """What stands before and after the text; None where nothing is learned."""
        return (self._before, self._after) if self._start else None

    def forget(self) -> None:
        """No chunk runs in the groove until the next is learned."""
        self._before = self._after = b"-"  # no JSON object begins so
        self._start = self._stop = 0
