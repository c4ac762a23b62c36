"""Tokens of a text: by a model's own vocabulary where a tokenizer is installed, else by script.

The tokenizer is the extra `tokens`. It is imported when the first count needs it, and each
vocabulary read once, off the loop. It holds the interpreter while it works, so texts go to it in
pieces: a thread that counts a megabyte must not stop the loop for longer than a piece takes.
"""

from collections.abc import Callable
from threading import Lock

TextCounter = Callable[[str], int | float]
"""Tokens of a text."""

PIECE_CHARS = 65_536
"""Characters that are counted at a time."""


def _make_ranges(*ranges: tuple[int, int]) -> bytes:
    return bytes(byte for first, last in ranges for byte in range(first, last + 1))


_BYTE_CLASSES = (
    (_make_ranges((0x61, 0x7A)), 0.212),  # lower case letters
    (_make_ranges((0x41, 0x5A)), 0.233),  # capitals
    (_make_ranges((0x30, 0x39)), 0.8),  # digits
    (b" ", 0.146),
    (b"\t\n\r", 0.057),
    (
        _make_ranges((0xC2, 0xDF)),
        0.33,
    ),  # the first byte of Latin letters with marks, Cyrillic, Arabic
    (_make_ranges((0xE3, 0xED)), 0.75),  # of Chinese, Japanese and Korean
    (_make_ranges((0xE0, 0xE2), (0xEE, 0xEF)), 0.45),  # of Indic scripts and typographic signs
    (_make_ranges((0xF0, 0xF4)), 1.5),  # of emoji
    (_make_ranges((0x80, 0xBF)), 0.0),  # every further byte of a character
)
"""Bytes and the tokens one of each comes to, fitted to o200k on prose, code and JSON."""
_PUNCTUATION_WEIGHT = 0.524
"""Tokens of all other bytes: punctuation."""


def count_by_script(text: str) -> float:
    """Tokens of a text by the script of its characters; longer texts never come to fewer."""
    if len(text) > PIECE_CHARS:
        return sum(
            count_by_script(text[at : at + PIECE_CHARS]) for at in range(0, len(text), PIECE_CHARS)
        )
    rest = text.encode("utf-8", "replace")
    total = 0.0
    for kind, weight in _BYTE_CLASSES:
        fewer = rest.translate(None, kind)
        total += weight * (len(rest) - len(fewer))
        rest = fewer
    return total + _PUNCTUATION_WEIGHT * len(rest)


class Tokenizers:
    """The tokenizers that were asked for so far; None stands for one that is not to be had."""

    def __init__(self) -> None:
        self._counters: dict[str, TextCounter | None] = {}
        self._load_lock = Lock()

    def is_loaded(self, name: str) -> bool:
        """Whether `length` answers at once."""
        return name in self._counters

    def get_counter(self, name: str) -> TextCounter:
        """How texts are measured in that vocabulary. Reads it from disk where it is not known."""
        with self._load_lock:  # several threads may want the same one
            if name not in self._counters:
                self._counters[name] = _load_tokenizer(name)
        return self._counters[name] or count_by_script


def _load_tokenizer(name: str) -> TextCounter | None:
    try:
        # An extra: and whoever never counts need not load 38 MB of it.
        import splintr  # noqa: PLC0415

        encode = splintr.Tokenizer.from_pretrained(name).encode_ordinary
    except (ImportError, ValueError):
        return None
    encode("ready")  # its patterns are compiled at the first use

    def length(text: str) -> int:
        try:
            if len(text) <= PIECE_CHARS:
                return len(encode(text))
            pieces = (text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS))
            return sum(len(encode(piece)) for piece in pieces)
        except UnicodeEncodeError:  # a surrogate without its other half
            return length(text.encode("utf-8", "replace").decode())

    return length
