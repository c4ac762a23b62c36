"""Tokens of pictures and documents, as far as their first bytes or their pages tell."""

import base64
import binascii
import re
from collections.abc import Callable
from math import ceil

from gateway.counting.families import Rule

UNKNOWN_PICTURE = 1600
"""Tokens of a picture whose size cannot be read."""
PAGE = 2000
"""Tokens of the text on a page of a PDF."""
UNKNOWN_PAGES = 5
"""Pages of a document that is not here."""
_HEAD = 32_768
"""Bytes of a picture in which its size must stand."""
_BYTES_PER_PAGE = 50_000
_PAGES = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")

Size = tuple[int, int]


def picture(data: str | None, rule: Rule) -> int:
    """Tokens of a picture given as base64; of one elsewhere, without data."""
    size = measured(data) if data is not None else None
    return _RULES[rule](*size) if size is not None else UNKNOWN_PICTURE


def document(data: str | None) -> int:
    """Tokens of a PDF given as base64: each page is read as text and seen as a picture."""
    return (PAGE + UNKNOWN_PICTURE) * (pages(data) if data is not None else UNKNOWN_PAGES)


def pages(data: str) -> int:
    """Pages of a PDF; by its weight where they are packed."""
    try:
        found = len(_PAGES.findall(base64.b64decode(data)))
    except (binascii.Error, ValueError):
        found = 0
    return found or ceil(len(data) * 3 / 4 / _BYTES_PER_PAGE) or 1


def measured(data: str) -> Size | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP; None where they cannot be read."""
    try:
        head = base64.b64decode(data[: _HEAD // 3 * 4])
    except (binascii.Error, ValueError):
        return None
    for magic, reader in _READERS:
        if head.startswith(magic):
            size = reader(head)
            return size if size is not None and min(size) > 0 else None
    return None


def _big(head: bytes, at: int, length: int) -> int:
    return int.from_bytes(head[at : at + length], "big")


def _little(head: bytes, at: int, length: int) -> int:
    return int.from_bytes(head[at : at + length], "little")


def _png(head: bytes) -> Size | None:
    return (_big(head, 16, 4), _big(head, 20, 4)) if head[12:16] == b"IHDR" else None


def _gif(head: bytes) -> Size | None:
    return _little(head, 6, 2), _little(head, 8, 2)


def _webp(head: bytes) -> Size | None:
    match head[12:16]:
        case b"VP8 ":
            return _little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF
        case b"VP8L":
            bits = _little(head, 21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return _little(head, 24, 3) + 1, _little(head, 27, 3) + 1
    return None


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG after which its size stands."""


def _jpeg(head: bytes) -> Size | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        if head[at + 1] in _FRAMES:
            return _big(head, at + 7, 2), _big(head, at + 5, 2)
        at += 2 + max(_big(head, at + 2, 2), 2)
    return None


_READERS: tuple[tuple[bytes, Callable[[bytes], Size | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
)


def _fitted(width: float, height: float, longest: int, shortest: float = float("inf")) -> Size:
    """The size after shrinking, never growing, until both edges fit."""
    scale = min(1.0, longest / max(width, height))
    scale = min(scale, shortest / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _patches(width: int, height: int, edge: int) -> int:
    return ceil(width / edge) * ceil(height / edge)


def _claude(width: int, height: int) -> int:
    return min(1568, _patches(*_fitted(width, height, 1568), 28))


def _claude_large(width: int, height: int) -> int:
    return _patches(*_fitted(width, height, 2000), 28)


def _openai_tiles(width: int, height: int) -> int:
    return 85 + 170 * _patches(*_fitted(*_fitted(width, height, 2048), 2048, 768), 512)


def _openai_patches(width: int, height: int) -> int:
    return ceil(_patches(*_fitted(width, height, 2048), 32) * 1.2)


def _gemini_tiles(width: int, height: int) -> int:
    return 258 * (1 if max(width, height) <= 384 else _patches(width, height, 768))


_RULES: dict[Rule, Callable[[int, int], int]] = {
    "claude": _claude,
    "claude-large": _claude_large,
    "tiles": _openai_tiles,
    "patches": _openai_patches,
    "gemini": lambda width, height: 1100,
    "gemini-tiles": _gemini_tiles,
    "unknown": lambda width, height: UNKNOWN_PICTURE,
}
