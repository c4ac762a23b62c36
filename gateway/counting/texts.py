"""Tokens of a text: by a model's own vocabulary where a tokenizer is installed, else by script.

The tokenizer is the extra `tokens`. It is imported when the first count needs it, and each
vocabulary read once, off the loop. It holds the interpreter while it works, so texts go to it in
pieces: a thread that counts a megabyte must not stop the loop for longer than a piece takes.
"""

from collections.abc import Callable
from threading import Lock

Length = Callable[[str], int | float]
"""Tokens of a text."""

PIECE = 65_536
"""Characters that are counted at a time."""


def _ranges(*ranges: tuple[int, int]) -> bytes:
    return bytes(byte for first, last in ranges for byte in range(first, last + 1))


_KINDS = (
    (_ranges((0x61, 0x7A)), 0.212),  # lower case letters
    (_ranges((0x41, 0x5A)), 0.233),  # capitals
    (_ranges((0x30, 0x39)), 0.8),  # digits
    (b" ", 0.146),
    (b"\t\n\r", 0.057),
    (_ranges((0xC2, 0xDF)), 0.33),  # the first byte of Latin letters with marks, Cyrillic, Arabic
    (_ranges((0xE3, 0xED)), 0.75),  # of Chinese, Japanese and Korean
    (_ranges((0xE0, 0xE2), (0xEE, 0xEF)), 0.45),  # of Indic scripts and typographic signs
    (_ranges((0xF0, 0xF4)), 1.5),  # of emoji
    (_ranges((0x80, 0xBF)), 0.0),  # every further byte of a character
)
"""Bytes and the tokens one of each comes to, fitted to o200k on prose, code and JSON."""
_SIGN = 0.524
"""Tokens of all other bytes: punctuation."""


def by_script(text: str) -> float:
    """Tokens of a text by the script of its characters; longer texts never come to fewer."""
    if len(text) > PIECE:
        return sum(by_script(text[at : at + PIECE]) for at in range(0, len(text), PIECE))
    rest = text.encode("utf-8", "replace")
    total = 0.0
    for kind, weight in _KINDS:
        fewer = rest.translate(None, kind)
        total += weight * (len(rest) - len(fewer))
        rest = fewer
    return total + _SIGN * len(rest)


class Vocabularies:
    """The tokenizers that were asked for so far; None stands for one that is not to be had."""

    def __init__(self) -> None:
        self._known: dict[str, Length | None] = {}
        self._loading = Lock()

    def known(self, name: str) -> bool:
        """Whether `length` answers at once."""
        return name in self._known

    def length(self, name: str) -> Length:
        """How texts are measured in that vocabulary. Reads it from disk where it is not known."""
        with self._loading:  # several threads may want the same one
            if name not in self._known:
                self._known[name] = _loaded(name)
        return self._known[name] or by_script


def _loaded(name: str) -> Length | None:
    try:
        # An extra: and whoever never counts need not load 38 MB of it.
        import splintr  # noqa: PLC0415

        encode = splintr.Tokenizer.from_pretrained(name).encode_ordinary
    except (ImportError, ValueError):
        return None
    encode("ready")  # its patterns are compiled at the first use

    def length(text: str) -> int:
        try:
            if len(text) <= PIECE:
                return len(encode(text))
            pieces = (text[at : at + PIECE] for at in range(0, len(text), PIECE))
            return sum(len(encode(piece)) for piece in pieces)
        except UnicodeEncodeError:  # a surrogate without its other half
            return length(text.encode("utf-8", "replace").decode())

    return length
