"""Stop sequences that the gateway enforces, as the upstream supports fewer or none.

The match that is complete first wins, as at an upstream; of two that end together, the longer. So
the answer does not depend on how the text was split, and only text that may still become a stop
sequence is held back.
"""


class _StopMatcher:
    """How much of one stop sequence the text ends with (Knuth-Morris-Pratt)."""

    __slots__ = ("_borders", "matched", "stop")

    def __init__(self, stop: str) -> None:
        self.stop = stop
        self.matched = 0
        self._borders = [0] * len(stop)
        border = 0
        for at in range(1, len(stop)):
            while border and stop[at] != stop[border]:
                border = self._borders[border - 1]
            if stop[at] == stop[border]:
                border += 1
            self._borders[at] = border

    def feed(self, text: str) -> int | None:
        """The index in `text` after the complete stop sequence; None if it is not complete."""
        stop, borders, matched = self.stop, self._borders, self.matched
        at = 0
        while at < len(text):
            if not matched:
                at = text.find(stop[0], at)
                if at < 0:
                    break
            while matched and stop[matched] != text[at]:
                matched = borders[matched - 1]
            if stop[matched] == text[at]:
                matched += 1
            at += 1
            if matched == len(stop):
                return at
        self.matched = matched
        return None


class StopScanner:
    """Releases text up to the first stop sequence in it."""

    __slots__ = ("_held", "_matched", "_matchers")

    def __init__(self, stops: tuple[str, ...]) -> None:
        # the longest first, so that it wins among those that end together
        longest_first = sorted(dict.fromkeys(stops), key=len, reverse=True)
        self._matchers = [_StopMatcher(stop) for stop in longest_first if stop]
        self._held = ""
        self._matched: str | None = None

    def feed(self, text: str) -> tuple[str, str | None]:
        """The text that may be released, and the stop sequence that was found, or None."""
        if self._matched is not None:
            return "", self._matched
        seen = self._held + text
        best_end, best = len(text) + 1, ""
        for automaton in self._matchers:
            end = automaton.feed(text)
            if end is not None and end < best_end:
                best_end, best = end, automaton.stop
        if best:
            start = len(self._held) + best_end - len(best)
            self._held, self._matched = "", best
            return seen[:start], best
        keep = max((automaton.matched for automaton in self._matchers), default=0)
        self._held = seen[len(seen) - keep :]
        return seen[: len(seen) - keep], None

    def finish(self) -> str:
        """The text that was held back and is not a stop sequence."""
        held, self._held = self._held, ""
        return held
