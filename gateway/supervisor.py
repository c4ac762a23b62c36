"""Several workers on one port: started, begun anew when they end, and stopped together.

The supervisor takes no connection. Each worker is a process of its own, with its own loop and,
where the kernel shares a port, its own socket. A worker whose supervisor is gone drains and ends.
"""

import asyncio
import signal
import socket
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Protocol

import structlog

from gateway.config import Config
from gateway.listen import Port
from gateway.peers import Stop, Wire
from gateway.switchboard import Fold, Switchboard

GRACE = 10.0
"""Seconds beyond the drain before a worker that has not ended is killed."""
AT_ONCE = 1.0
"""Seconds that are left to a worker that is told to end at once."""
STEADY = 60.0
"""Seconds that a worker has to run for its next end to be its first."""
_LONGEST_PAUSE = 30.0
_SAME = 0.2
_log = structlog.get_logger("interlingua")


class Work(Protocol):
    """What a worker does, in a process of its own: a function that can be imported by name."""

    def __call__(
        self, config: Config, sockets: list[socket.socket], line: socket.socket, place: int
    ) -> None:
        """Serves on the sockets until the line says stop."""


class Signals:
    """Tells a second signal from the same one sent twice, to a process and to its group."""

    def __init__(self) -> None:
        self._last = -_SAME

    def is_same(self) -> bool:
        """Whether the signal that has come is the one before it once more."""
        before, self._last = self._last, monotonic()
        return self._last - before < _SAME


class Supervisor:
    """The workers of one gateway."""

    def __init__(
        self, config: Config, port: Port, count: int, work: Work, folds: Mapping[str, Fold]
    ) -> None:
        self._config = config
        self._port = port
        self._count = count
        self._work = work
        self._board = Switchboard(folds)
        self._workers: dict[int, _Worker] = {}
        self._stopping = asyncio.Event()
        self._failed = False
        self._signals = Signals()

    async def run(self) -> int:
        """Returns when all workers have ended; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        # The first worker finds out what keeps all of them from starting, and says it once.
        first = await self._start(1)
        if not await first.settled():
            await first.ended()
            return 1
        rest = () if self._stopping.is_set() else range(2, self._count + 1)
        others = [await self._start(place) for place in rest]
        await asyncio.gather(*(worker.settled() for worker in others))
        keeping = [loop.create_task(self._keep(place)) for place in (1, *rest)]
        if not self._stopping.is_set():
            _log.info("listening", url=", ".join(self._port.urls), workers=self._count)
        await asyncio.gather(*keeping)
        return 1 if self._failed else 0

    async def _keep(self, place: int) -> None:
        """Has a worker at that place until the gateway is stopped."""
        again = 0
        while place in self._workers or not self._stopping.is_set():
            worker = self._workers.get(place) or await self._start(place)
            if await worker.settled() and again:
                _log.info("worker_started_again", worker=place)
            code = await worker.ended()
            del self._workers[place]
            if self._stopping.is_set():
                self._failed |= code != 0
                return
            again = again + 1 if monotonic() - worker.began < STEADY else 1
            pause = min(0.05 * 2**again, _LONGEST_PAUSE)
            _log.warning("worker_ended", worker=place, code=code, again_in=pause)
            await self._pause(pause)

    async def _start(self, place: int) -> "_Worker":
        ours, theirs = socket.socketpair()
        worker = self._workers[place] = _Worker()
        worker.wire = await self._board.join(place, ours, worker.is_ready)
        sockets = self._port.sockets()
        worker.start(self._work, self._config, sockets, theirs, place)
        for each in (*sockets, theirs):
            each.close()
        if self._stopping.is_set():
            worker.stop(now=False)
        return worker

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _stop(self) -> None:
        """The first signal drains, the second ends all at once."""
        if self._signals.is_same():
            return
        now = self._stopping.is_set()
        self._stopping.set()
        self._port.close()
        for worker in self._workers.values():
            worker.stop(now=now)
        seconds = 2 * AT_ONCE if now else self._config.server.drain + GRACE
        asyncio.get_running_loop().call_later(seconds, self._kill)

    def _kill(self) -> None:
        for worker in self._workers.values():
            worker.kill()


class _Worker:
    """One process, from its start to its end."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.began = monotonic()
        self.wire: Wire | None = None
        self._process: SpawnProcess | None = None
        self._settled: asyncio.Future[bool] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()

    def start(
        self, work: Work, config: Config, sockets: list[socket.socket], *rest: object
    ) -> None:
        """Starts the process. A fork would take the loop and its threads along."""
        process = get_context("spawn").Process(
            target=work, args=(config, sockets, *rest), daemon=True
        )
        process.start()
        self._process = process
        asyncio.get_running_loop().add_reader(process.sentinel, self._gone)

    def is_ready(self) -> None:
        """It serves."""
        if not self._settled.done():
            self._settled.set_result(True)

    async def settled(self) -> bool:
        """Whether it came to serve, as soon as that is known."""
        return await self._settled

    async def ended(self) -> int:
        """Its exit code, once it has ended; the negative number of the signal that killed it."""
        return await self._ended

    def stop(self, *, now: bool) -> None:
        """Tells it to end."""
        if self.wire is not None:
            self.wire.send(Stop(now))

    def kill(self) -> None:
        """Ends it by force."""
        if self._process is not None and not self._ended.done():
            self._process.kill()

    def _gone(self) -> None:
        process = self._process
        assert process is not None
        asyncio.get_running_loop().remove_reader(process.sentinel)
        process.join()
        code = process.exitcode
        process.close()  # its line ends by itself, once all that it said is read
        if not self._settled.done():
            self._settled.set_result(False)
        self._ended.set_result(1 if code is None else code)
