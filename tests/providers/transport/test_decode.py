"""Encoded bodies, whole and byte by byte."""

import asyncio
import gzip
import zlib

import pytest

from gateway.errors import BadAnswer, Cut
from providers.transport.decode import (
    InflatedSource,
    can_decode,
    drop_encoding_headers,
    get_content_encoding,
)


class ChunkSource:
    """A source of these chunks."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.closed = 0

    async def read(self) -> bytes:
        """The next one."""
        return self.chunks.pop(0) if self.chunks else b""

    async def aclose(self) -> None:
        """Counts."""
        self.closed += 1


PLAIN = bytes(range(256)) * 20


async def inflate(*chunks: bytes) -> bytes:
    """The decoded whole."""
    body, found = InflatedSource(ChunkSource(*chunks), "h:1"), b""
    while chunk := await body.read():
        found += chunk
    return found


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(PLAIN, mtime=0),
        gzip.compress(PLAIN[:999], mtime=0) + gzip.compress(PLAIN[999:], mtime=0),
        zlib.compress(PLAIN),
        zlib.compress(PLAIN, wbits=-15),
    ],
)
async def test_pieces_do_not_matter(data: bytes) -> None:
    assert await inflate(data) == PLAIN
    assert await inflate(*(data[n : n + 1] for n in range(len(data)))) == PLAIN


async def test_nothing_at_all_is_an_empty_body() -> None:
    assert await inflate() == b""


async def test_short_and_broken() -> None:
    data = gzip.compress(PLAIN, mtime=0)
    with pytest.raises(Cut):
        await inflate(data[:-1])
    with pytest.raises(BadAnswer):
        await inflate(data[:-8] + b"12345678")
    with pytest.raises(BadAnswer):
        await inflate(data, b"trailing")


async def test_steps_are_small() -> None:
    body = InflatedSource(ChunkSource(gzip.compress(bytes(5 << 20), mtime=0)), "h:1")
    sizes = []
    while chunk := await body.read():
        sizes.append(len(chunk))
    assert sum(sizes) == 5 << 20
    assert max(sizes) <= 1 << 20


async def test_close_drops_what_is_left() -> None:
    source = ChunkSource(gzip.compress(bytes(5 << 20), mtime=0))
    body = InflatedSource(source, "h:1")
    await body.read()
    await body.aclose()
    await body.aclose()
    assert source.closed == 2


async def test_leaving_between_two_steps_closes() -> None:
    source = ChunkSource(gzip.compress(bytes(5 << 20), mtime=0))
    body = InflatedSource(source, "h:1")
    await body.read()
    task = asyncio.get_running_loop().create_task(body.read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1


def test_headers() -> None:
    headers = [(b"content-encoding", b"identity, GZip"), (b"content-length", b"9"), (b"x", b"1")]
    assert get_content_encoding(headers) == b"gzip"
    assert (
        get_content_encoding([(b"content-encoding", b"gzip"), (b"content-encoding", b"br")])
        == b"gzip,br"
    )
    assert get_content_encoding([(b"x", b"gzip")]) == b""
    assert drop_encoding_headers(headers) == [(b"x", b"1")]
    assert can_decode(b"deflate")
    assert not can_decode(b"gzip,gzip")
