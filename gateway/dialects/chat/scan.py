"""Scanners of text that arrives in pieces."""

import re
from typing import Literal

_STRUCTURAL = re.compile(r'["\\{}\[\]]')


class ObjectScanner:
    """Detects the end of a JSON value that arrives in pieces, without parsing it."""

    __slots__ = ("_depth", "_escaped", "_quoted", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def feed(self, text: str) -> None:
        """Look at the next piece."""
        skip = 0 if self._escaped else -1  # the character after a backslash means nothing
        self._escaped = False
        for found in _STRUCTURAL.finditer(text):
            at = found.start()
            if at != skip:
                self._track_char(text[at])
                if self._escaped:
                    skip, self._escaped = at + 1, False
        self._escaped = skip == len(text)

    def _track_char(self, char: str) -> None:
        if self._quoted:
            self._quoted = char != '"'
            self._escaped = char == "\\"
        elif char == '"':
            self._quoted = True
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
            self.complete = self._depth == 0


ContentPiece = tuple[Literal["thinking", "text"], str]

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkTagSplitter:
    """Splits text that starts with <think> into reasoning and answer; strips space at the tags."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._state: Literal["start", "opened", "thinking", "after", "text"] = "start"
        self._held = ""

    def feed(self, text: str) -> list[ContentPiece]:
        """The pieces that the next text completes."""
        out: list[ContentPiece] = []
        text, self._held = self._held + text, ""
        if self._state == "start":
            text = self._feed_start(text)
        if self._state == "opened":
            text = text.lstrip()
            self._state = "thinking" if text else "opened"
        if self._state == "thinking":
            text = self._feed_thinking(text, out)
        if self._state == "after":
            text = text.lstrip()
            self._state = "text" if text else "after"
        if self._state == "text" and text:
            out.append(("text", text))
        return out

    def finish(self) -> list[ContentPiece]:
        """What was held back."""
        held, self._held = self._held, ""
        kind: Literal["thinking", "text"] = "thinking" if self._state == "thinking" else "text"
        return [(kind, held)] if held else []

    def _feed_start(self, text: str) -> str:
        bare = text.lstrip()
        if bare.startswith(_OPEN):
            self._state = "opened"
            return bare[len(_OPEN) :]
        if _OPEN.startswith(bare):
            self._held = text
            return ""
        self._state = "text"
        return text

    def _feed_thinking(self, text: str, out: list[ContentPiece]) -> str:
        end = text.find(_CLOSE)
        if end >= 0:
            if end:
                out.append(("thinking", text[:end]))
            self._state = "after"
            return text[end + len(_CLOSE) :]
        keep = next(n for n in range(len(_CLOSE) - 1, -1, -1) if text.endswith(_CLOSE[:n]))
        released, self._held = text[: len(text) - keep], text[len(text) - keep :]
        if released:
            out.append(("thinking", released))
        return ""
