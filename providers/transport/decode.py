"""Bodies that came compressed although nobody asked for it."""

import asyncio
import zlib

from gateway.call import Headers
from gateway.errors import BadAnswer, Cut
from gateway.reply import Source

_MAX_STEP_BYTES = 262_144  # decoded bytes in one chunk, whatever the ratio

_ENCODING_HEADERS = frozenset([b"content-encoding", b"content-length"])


def get_content_encoding(headers: Headers) -> bytes:
    """The content encoding in lower case; empty where there is none."""
    found = b",".join(value for name, value in headers if name == b"content-encoding")
    kinds = [kind for kind in found.lower().replace(b" ", b"").split(b",") if kind]
    return b",".join(kind for kind in kinds if kind != b"identity")


def can_decode(kind: bytes) -> bool:
    """Whether `Inflated` can undo it."""
    return kind in (b"gzip", b"x-gzip", b"deflate")


def drop_encoding_headers(headers: Headers) -> Headers:
    """The headers that are still true of a decoded body."""
    return [header for header in headers if header[0] not in _ENCODING_HEADERS]


class InflatedSource:
    """A gzip or deflate body, decoded in steps of bounded size."""

    __slots__ = ("_begun", "_inflate", "_origin", "_source", "_undecoded")

    def __init__(self, source: Source, origin: str) -> None:
        self._source = source
        self._origin = origin
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # a gzip or a zlib header
        self._begun = False
        self._undecoded = b""

    async def read(self) -> bytes:
        """Decoded bytes; empty at the end."""
        while True:
            if self._undecoded:
                data = self._undecoded
                try:
                    await asyncio.sleep(0)  # a bomb may not hold the loop
                except BaseException:  # cancelled: nobody will take the rest
                    await self.aclose()
                    raise
            else:
                data = await self._source.read()
            if not data:
                if self._begun and not self._inflate.eof:
                    raise Cut(f"{self._origin} ended its answer within its compression")
                return b""
            out = self._inflate_step(data)
            if out:
                return out

    async def aclose(self) -> None:
        """Let go of the encoded body."""
        self._undecoded = b""
        await self._source.aclose()

    def _inflate_step(self, data: bytes) -> bytes:
        try:
            if self._inflate.eof:  # another gzip member
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
            elif not self._begun and data[0] & 15 != 8 and data[0] != 0x1F:
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # what some call deflate
            self._begun = True
            out = self._inflate.decompress(data, _MAX_STEP_BYTES)
        except zlib.error:
            raise BadAnswer(f"{self._origin} sent a body that is not in its encoding") from None
        self._undecoded = self._inflate.unconsumed_tail or self._inflate.unused_data
        return out
