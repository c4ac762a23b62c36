"""A wire between a client and the gateway that keeps what went by."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_REQUEST = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS) /[^ ]* HTTP/1\.[01](?=\r\n)")
_STATUS = re.compile(rb"HTTP/1\.[01] \d{3}[^\r\n]*(?=\r\n)")


class Tap:
    """What was sent and told, each connection's bytes apart."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.sent: list[bytearray] = []
        self.told: list[bytearray] = []

    @property
    def requests(self) -> list[str]:
        """The first lines of all requests."""
        return [line.decode() for sent in self.sent for line in _REQUEST.findall(sent)]

    @property
    def statuses(self) -> list[str]:
        """The first lines of all answers."""
        return [line.decode() for told in self.told for line in _STATUS.findall(told)]

    def saw(self, piece: bytes) -> bool:
        """Whether a client sent these bytes, in one piece of one connection."""
        return any(piece in sent for sent in self.sent)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        sent, told = bytearray(), bytearray()
        self.sent.append(sent)
        self.told.append(told)
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass(reader, ours, sent))
                both.create_task(_pass(theirs, writer, told))
        except* ConnectionError:
            pass  # either side may leave as it likes
        finally:
            ours.close()
            writer.close()


async def _pass(source: asyncio.StreamReader, to: asyncio.StreamWriter, kept: bytearray) -> None:
    while data := await source.read(65_536):
        kept += data
        to.write(data)
        await to.drain()
    to.close()


@asynccontextmanager
async def tapped(port: int) -> AsyncIterator[Tap]:
    """A tap before that port."""
    tap = Tap(port)
    server = await asyncio.start_server(tap._serve, "127.0.0.1", 0)
    tap.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield tap
    finally:
        server.close()
        for task in tap._tasks:
            task.cancel()
        await asyncio.gather(*tap._tasks, return_exceptions=True)
