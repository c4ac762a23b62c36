"""A Redis server that keeps what several gateways share, never waited for longer than a blink.

Every command has one deadline, connecting included. A server that fails is left alone for a while;
the try that ends this is made beside the calls, so that none of them waits for it. Writes are made
beside the calls too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.store.breaker import Breaker, StoreDown

T = TypeVar("T")

DEADLINE = 0.1
"""Seconds for one command."""
CONNECTIONS = 50
_WRITES = 200
"""Writes that may be under way; what is beyond them is not kept."""
FAULTS = (RedisError, OSError, TimeoutError)


class Server:
    """One Redis server; `what` names its use in the log. ValueError where the URL is none."""

    def __init__(self, url: str, what: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=DEADLINE,
            socket_timeout=DEADLINE,
            socket_connect_timeout=DEADLINE,
            retry=Retry(NoBackoff(), 0),
        )
        self.redis: Redis = Redis.from_pool(pool)
        where = _where(url)
        self.reads = Breaker(what, where)
        self.writes = Breaker(f"{what}_writes", where)
        self.beside: set[asyncio.Task[None]] = set()
        """Writes and tries under way."""

    @property
    def down(self) -> bool:
        """It has failed so often that it is left alone, for all or for writes."""
        return self.reads.open or self.writes.open

    async def asked(self, command: Callable[[], Awaitable[T]], deadline: float = DEADLINE) -> T:
        """What the server says. Raises StoreDown."""
        if self.reads.open:
            if self.reads.due():
                self._start(self._try())
            raise StoreDown
        try:
            async with asyncio.timeout(deadline):
                found = await command()
        except FAULTS as fault:
            self.reads.failed(type(fault).__name__)
            raise StoreDown from None
        self.reads.succeeded()
        return found

    def later(self, command: Callable[[], Awaitable[object]]) -> None:
        """Has a write made soon, as well as it can."""
        if self.reads.open or (self.writes.open and not self.writes.due()):
            return
        if len(self.beside) < _WRITES:
            self._start(self._write(command))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Lets writes under way end, and closes the connections."""
        try:
            yield
        finally:
            await asyncio.gather(*self.beside, return_exceptions=True)
            try:
                async with asyncio.timeout(DEADLINE):
                    await self.redis.aclose()
            except FAULTS:
                pass  # a frozen server does not say good-bye

    async def _try(self) -> None:
        """Closes the breaker again where the server answers."""
        try:
            async with asyncio.timeout(DEADLINE):
                await cast(Awaitable[Any], self.redis.ping())
        except FAULTS as fault:
            self.reads.failed(type(fault).__name__)
        else:
            self.reads.succeeded()

    async def _write(self, command: Callable[[], Awaitable[object]]) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                await command()
        except FAULTS as fault:
            self.writes.failed(type(fault).__name__)
        else:
            self.writes.succeeded()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.beside.add(task)
        task.add_done_callback(self.beside.discard)


class RedisStore:
    """Entries in a Redis server, which expires them and bounds its own memory; `ttl` in seconds."""

    def __init__(self, url: str, ttl: float, what: str) -> None:
        self._ttl = max(1, int(ttl * 1000))  # milliseconds, Redis's PX
        self._server = Server(url, what)

    @property
    def down(self) -> bool:
        """The server is left alone for a while."""
        return self._server.down

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Lets writes under way end, and closes the connections."""
        async with self._server.running():
            yield


def _where(url: str) -> str:
    """The server's address as a log may have it: a URL may hold a password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
