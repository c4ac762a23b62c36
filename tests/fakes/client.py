"""A client driven by hand: every byte, every pause, and every way to leave."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self


async def wait_until(predicate: Callable[[], object], seconds: float = 2.0) -> float:
    """Returns once it holds, with the seconds that took; AssertionError when it does not."""
    began = time.monotonic()
    wait = 0.0
    while not predicate():
        spent = time.monotonic() - began
        assert spent < seconds, f"not so within {seconds:g} s"
        await asyncio.sleep(wait)
        wait = min(wait + 0.0005, 0.01)
    return time.monotonic() - began


class RawClient:
    """One socket that speaks HTTP/1.1 as it is told to."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", receive_buffer: int = 0) -> None:
        self._address = (host, port)
        self._buffer = b""
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    async def __aenter__(self) -> Self:
        try:
            await asyncio.get_running_loop().sock_connect(self.sock, self._address)
        except BaseException:
            self.sock.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hang_up()

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def post(self, path: str, body: bytes, *headers: tuple[str, str]) -> None:
        """A whole request."""
        lines = [f"POST {path} HTTP/1.1", "host: gateway", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        await self.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def get(self, path: str, *headers: tuple[str, str]) -> None:
        """A whole request without a body."""
        lines = [f"GET {path} HTTP/1.1", "host: gateway"]
        lines += [f"{name}: {value}" for name, value in headers]
        await self.send("\r\n".join([*lines, "", ""]).encode())

    async def receive(self, size: int = 65_536, seconds: float = 5.0) -> bytes:
        """What is there or comes next; empty once the peer has closed its side."""
        if self._buffer:
            data, self._buffer = self._buffer[:size], self._buffer[size:]
            return data
        async with asyncio.timeout(seconds):
            return await asyncio.get_running_loop().sock_recv(self.sock, size)

    async def read_until(self, mark: bytes, seconds: float = 5.0) -> bytes:
        """Everything up to and with a mark. EOFError when it does not come."""
        found = b""
        while mark not in found:
            data = await self.receive(seconds=seconds)
            if not data:
                raise EOFError(found)
            found += data
        upto = found.index(mark) + len(mark)
        found, self._buffer = found[:upto], found[upto:] + self._buffer
        return found

    async def read_head(self, seconds: float = 5.0) -> tuple[int, dict[bytes, bytes]]:
        """The status and the headers, names in lower case."""
        lines = (await self.read_until(b"\r\n\r\n", seconds)).split(b"\r\n")
        pairs = [line.partition(b":") for line in lines[1:] if line]
        return int(lines[0].split()[1]), {n.strip().lower(): v.strip() for n, _, v in pairs}

    async def read_body(self, headers: dict[bytes, bytes], seconds: float = 5.0) -> bytes:
        """The whole body. EOFError where it is cut."""
        if headers.get(b"transfer-encoding") == b"chunked":
            found = b""
            while chunk := await self.read_chunk(seconds):
                found += chunk
            return found
        if b"content-length" in headers:
            return await self.read_exactly(int(headers[b"content-length"]), seconds)
        return await self.read_rest(seconds)

    async def read_chunk(self, seconds: float = 5.0) -> bytes:
        """One chunk of a chunked body; the empty one is its end."""
        size = int((await self.read_until(b"\r\n", seconds)).split(b";")[0], 16)
        data = await self.read_exactly(size + 2, seconds)
        return data[:size]

    async def read_exactly(self, size: int, seconds: float = 5.0) -> bytes:
        """So many bytes. EOFError where the peer closes before."""
        found = b""
        while len(found) < size:
            data = await self.receive(size - len(found), seconds)
            if not data:
                raise EOFError(found)
            found += data
        return found

    async def read_rest(self, seconds: float = 5.0) -> bytes:
        """Everything until the peer closes its side."""
        found = b""
        while data := await self.receive(seconds=seconds):
            found += data
        return found

    async def read_slowly(self, rate: float, seconds: float, step: int = 1024) -> int:
        """Reads about so many bytes a second for so long; how many it got."""
        got = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data = await self.receive(step, seconds)
            if not data:
                break
            got += len(data)
            await asyncio.sleep(len(data) / rate)
        return got

    def half_close(self) -> None:
        """FIN of our side; the other may still send."""
        self.sock.shutdown(socket.SHUT_WR)

    def hang_up(self, *, reset: bool = False) -> None:
        """Leaves, with FIN or with RST."""
        if reset and self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
