import base64
import struct

import pytest

from gateway.counting import pictures
from gateway.counting.families import ImageRule


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return b64(head + b"\x08\x06\0\0\0")


def jpeg(width: int, height: int, between: bytes = b"") -> str:
    frame = b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width)
    return b64(b"\xff\xd8\xff\xe0\x00\x04ab" + between + frame + b"\0" * 20)


def gif(width: int, height: int) -> str:
    return b64(b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 4)


def webp(chunk: bytes) -> str:
    return b64(b"RIFF\0\0\0\0WEBP" + chunk)


LOSSY = b"VP8 " + b"\0" * 4 + b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480)
LOSSLESS = b"VP8L" + b"\0" * 4 + b"\x2f" + struct.pack("<I", 639 | 479 << 14)
EXTENDED = b"VP8X" + b"\0" * 8 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(1024, 768), (1024, 768)),
        (jpeg(1920, 1080), (1920, 1080)),
        (jpeg(3, 4, b"\xff\xdb\x00\x03x" * 5), (3, 4)),
        (gif(300, 200), (300, 200)),
        (webp(LOSSY), (640, 480)),
        (webp(LOSSLESS), (640, 480)),
        (webp(EXTENDED), (640, 480)),
        (webp(b"ABCD"), None),
        (png(0, 5), None),
        (b64(b"\x89PNG\r\n\x1a\n0000JUNK"), None),
        (b64(b"\xff\xd8\xff\xe0\x00\x04ab\x00\x00"), None),
        (b64(b"GIF8"), None),
        (b64(b"what is this"), None),
        ("?!", None),
        ("", None),
        ("é", None),
    ],
)
def test_the_size_stands_in_the_first_bytes(data: str, size: tuple[int, int] | None) -> None:
    assert pictures.read_image_size(data) == size


@pytest.mark.parametrize(
    ("rule", "size", "tokens"),
    [
        ("claude", (1024, 1024), 1369),
        ("claude", (4000, 4000), 1568),
        ("claude", (28, 28), 1),
        ("claude-large", (1920, 1080), 2691),
        ("claude-large", (4000, 2000), 72 * 36),
        ("patches", (1024, 1024), 1229),
        ("tiles", (1024, 1024), 85 + 4 * 170),
        ("tiles", (2048, 4096), 85 + 6 * 170),
        ("tiles", (512, 512), 85 + 170),
        ("gemini", (1024, 1024), 1100),
        ("gemini-tiles", (384, 384), 258),
        ("gemini-tiles", (1024, 1024), 4 * 258),
        ("unknown", (10, 10), 1600),
    ],
)
def test_each_rule_counts_pixels_its_own_way(
    rule: ImageRule, size: tuple[int, int], tokens: int
) -> None:
    assert pictures.count_image(png(*size), rule) == tokens


def test_a_picture_elsewhere_has_the_usual_weight() -> None:
    assert pictures.count_image(None, "claude") == pictures.count_image("??", "claude") == 1600


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b64(b"%PDF-1.7 /Type /Pages /Type /Page /Type/Page\n"), 2),
        (b64(b"%PDF" + b"x" * 120_000), 3),
        (b64(b"%PDF"), 1),
        ("no base64", 1),
        ("abcde", 1),
        ("", 1),
    ],
)
def test_pages_are_counted_or_weighed(data: str, count: int) -> None:
    assert pictures.count_pages(data) == count
    assert pictures.count_document(data) == count * 3600


def test_a_document_elsewhere_is_taken_for_a_few_pages() -> None:
    assert pictures.count_document(None) == 5 * 3600
