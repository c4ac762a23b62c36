"""Encoded bodies, whole and byte by byte."""

import asyncio
import gzip
import zlib

import pytest

from gateway.errors import BadAnswer, Cut
from gateway.reply import Source
from providers.transport.decode import Inflated, decodable, encoding, plain


class Pieces(Source):
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
    body, found = Inflated(Pieces(*chunks), "h:1"), b""
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
    body = Inflated(Pieces(gzip.compress(bytes(5 << 20), mtime=0)), "h:1")
    sizes = []
    while chunk := await body.read():
        sizes.append(len(chunk))
    assert sum(sizes) == 5 << 20
    assert max(sizes) <= 1 << 20


async def test_close_drops_what_is_left() -> None:
    source = Pieces(gzip.compress(bytes(5 << 20), mtime=0))
    body = Inflated(source, "h:1")
    await body.read()
    await body.aclose()
    await body.aclose()
    assert source.closed == 2


async def test_leaving_between_two_steps_closes() -> None:
    source = Pieces(gzip.compress(bytes(5 << 20), mtime=0))
    body = Inflated(source, "h:1")
    await body.read()
    task = asyncio.get_running_loop().create_task(body.read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1


def test_headers() -> None:
    headers = [(b"content-encoding", b"identity, GZip"), (b"content-length", b"9"), (b"x", b"1")]
    assert encoding(headers) == b"gzip"
    assert encoding([(b"content-encoding", b"gzip"), (b"content-encoding", b"br")]) == b"gzip,br"
    assert encoding([(b"x", b"gzip")]) == b""
    assert plain(headers) == [(b"x", b"1")]
    assert decodable(b"deflate")
    assert not decodable(b"gzip,gzip")
