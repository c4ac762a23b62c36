"""Tokens of pictures and documents, as far as their first bytes or their pages tell."""

import base64
import binascii
import re
from collections.abc import Callable
from math import ceil

from gateway.counting.families import ImageRule

UNKNOWN_IMAGE_TOKENS = 1600
"""Tokens of a picture whose size cannot be read."""
TOKENS_PER_PAGE = 2000
"""Tokens of the text on a page of a PDF."""
UNKNOWN_PAGES = 5
"""Pages of a document that is not here."""
_HEAD_BYTES = 32_768
"""Bytes of a picture in which its size must stand."""
_BYTES_PER_PAGE = 50_000
_PDF_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")

ImageSize = tuple[int, int]


def count_image(data: str | None, rule: ImageRule) -> int:
    """Tokens of a picture given as base64; of one elsewhere, without data."""
    size = read_image_size(data) if data is not None else None
    return _TOKEN_RULES[rule](*size) if size is not None else UNKNOWN_IMAGE_TOKENS


def count_document(data: str | None) -> int:
    """Tokens of a PDF given as base64: each page is read as text and seen as a picture."""
    return (TOKENS_PER_PAGE + UNKNOWN_IMAGE_TOKENS) * (
        count_pages(data) if data is not None else UNKNOWN_PAGES
    )


def count_pages(data: str) -> int:
    """Pages of a PDF; by its weight where they are packed."""
    try:
        found = len(_PDF_PAGE.findall(base64.b64decode(data)))
    except (binascii.Error, ValueError):
        found = 0
    return found or ceil(len(data) * 3 / 4 / _BYTES_PER_PAGE) or 1


def read_image_size(data: str) -> ImageSize | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP; None where they cannot be read."""
    try:
        head = base64.b64decode(data[: _HEAD_BYTES // 3 * 4])
    except (binascii.Error, ValueError):
        return None
    for magic, reader in _SIZE_READERS:
        if head.startswith(magic):
            size = reader(head)
            return size if size is not None and min(size) > 0 else None
    return None


def _read_big_endian(head: bytes, at: int, length: int) -> int:
    return int.from_bytes(head[at : at + length], "big")


def _read_little_endian(head: bytes, at: int, length: int) -> int:
    return int.from_bytes(head[at : at + length], "little")


def _read_png_size(head: bytes) -> ImageSize | None:
    return (
        (_read_big_endian(head, 16, 4), _read_big_endian(head, 20, 4))
        if head[12:16] == b"IHDR"
        else None
    )


def _read_gif_size(head: bytes) -> ImageSize | None:
    return _read_little_endian(head, 6, 2), _read_little_endian(head, 8, 2)


def _read_webp_size(head: bytes) -> ImageSize | None:
    match head[12:16]:
        case b"VP8 ":
            return _read_little_endian(head, 26, 2) & 0x3FFF, _read_little_endian(
                head, 28, 2
            ) & 0x3FFF
        case b"VP8L":
            bits = _read_little_endian(head, 21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return _read_little_endian(head, 24, 3) + 1, _read_little_endian(head, 27, 3) + 1
    return None


_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG after which its size stands."""


def _read_jpeg_size(head: bytes) -> ImageSize | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        if head[at + 1] in _JPEG_FRAMES:
            return _read_big_endian(head, at + 7, 2), _read_big_endian(head, at + 5, 2)
        at += 2 + max(_read_big_endian(head, at + 2, 2), 2)
    return None


_SIZE_READERS: tuple[tuple[bytes, Callable[[bytes], ImageSize | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _read_png_size),
    (b"\xff\xd8\xff", _read_jpeg_size),
    (b"GIF8", _read_gif_size),
    (b"RIFF", _read_webp_size),
)


def _shrink_to_fit(
    width: float, height: float, longest: int, shortest: float = float("inf")
) -> ImageSize:
    """The size after shrinking, never growing, until both edges fit."""
    scale = min(1.0, longest / max(width, height))
    scale = min(scale, shortest / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _count_patches(width: int, height: int, edge: int) -> int:
    return ceil(width / edge) * ceil(height / edge)


def _count_claude(width: int, height: int) -> int:
    return min(1568, _count_patches(*_shrink_to_fit(width, height, 1568), 28))


def _count_claude_large(width: int, height: int) -> int:
    return _count_patches(*_shrink_to_fit(width, height, 2000), 28)


def _count_openai_tiles(width: int, height: int) -> int:
    return 85 + 170 * _count_patches(
        *_shrink_to_fit(*_shrink_to_fit(width, height, 2048), 2048, 768), 512
    )


def _count_openai_patches(width: int, height: int) -> int:
    return ceil(_count_patches(*_shrink_to_fit(width, height, 2048), 32) * 1.2)


def _count_gemini_tiles(width: int, height: int) -> int:
    return 258 * (1 if max(width, height) <= 384 else _count_patches(width, height, 768))


_TOKEN_RULES: dict[ImageRule, Callable[[int, int], int]] = {
    "claude": _count_claude,
    "claude-large": _count_claude_large,
    "tiles": _count_openai_tiles,
    "patches": _count_openai_patches,
    "gemini": lambda width, height: 1100,
    "gemini-tiles": _count_gemini_tiles,
    "unknown": lambda width, height: UNKNOWN_IMAGE_TOKENS,
}
