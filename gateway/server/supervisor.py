"""Several workers on one port: started, begun anew when they end, and stopped together.

The supervisor takes no connection. Each worker is a process of its own, with its own loop and,
where the kernel shares a port, its own socket. A worker whose supervisor is gone drains and ends.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Protocol

import structlog

from gateway.config.load import Config, ConfigError
from gateway.server.sockets import Port
from gateway.workers.broker import MessageBroker, Reducer
from gateway.workers.peers import PeerConnection, Stop

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


Again = Callable[[Config], Config]
"""Reads the configuration anew, as workers are to have it. ConfigError where it is not sound."""
_LEADER = 1
"""The worker that works batches off."""


def hung_up() -> bool:
    """Whether SIGHUP came because the terminal is gone, and not to have something read anew."""
    return sys.__stdin__ is not None and _HAD_TERMINAL and not os.isatty(sys.__stdin__.fileno())


def _on_terminal() -> bool:
    try:
        return sys.__stdin__ is not None and os.isatty(sys.__stdin__.fileno())
    except ValueError:  # it was closed
        return False


_HAD_TERMINAL = _on_terminal()


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
        self, config: Config, port: Port, work: Work, folds: Mapping[str, Reducer], again: Again
    ) -> None:
        self._config = config
        self._port = port
        self._count = config.server.workers
        self._work = work
        self._again = again
        self._board = MessageBroker(folds)
        self._workers: dict[int, _Worker] = {}
        self._leaving: set[_Worker] = set()
        self._stopping = asyncio.Event()
        self._wanted = asyncio.Event()  # the configuration is to be read anew
        self._failed = False
        self._signals = Signals()

    async def run(self) -> int:
        """Returns when all workers have ended; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
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
        reloading = loop.create_task(self._reload())
        await asyncio.gather(*keeping)
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)
        await asyncio.gather(*(worker.ended() for worker in self._leaving))
        return 1 if self._failed else 0

    async def _keep(self, place: int) -> None:
        """Has a worker at that place until the gateway is stopped."""
        again = 0
        while place in self._workers or not self._stopping.is_set():
            worker = self._workers.get(place) or await self._start(place)
            if await worker.settled() and again:
                _log.info("worker_started_again", worker=place)
            code = await worker.over()
            if self._workers[place] is not worker:
                continue  # another has taken its place
            del self._workers[place]
            if self._stopping.is_set():
                self._failed |= code != 0
                return
            again = again + 1 if monotonic() - worker.began < STEADY else 1
            pause = min(0.05 * 2**again, _LONGEST_PAUSE)
            _log.warning("worker_ended", worker=place, code=code, again_in=pause)
            await self._pause(pause)

    async def _start(self, place: int) -> "_Worker":
        worker = self._workers[place] = _Worker(self._port.sockets())
        await self._begin(worker, place)
        return worker

    async def _begin(self, worker: "_Worker", place: int) -> None:
        ours, theirs = socket.socketpair()
        worker.wire = await self._board.join(place, ours, worker.is_ready, worker.close)
        worker.start(self._work, self._config, theirs, place)
        theirs.close()
        if self._stopping.is_set():
            worker.close()
            worker.stop(now=False)

    # --- the configuration read anew --------------------------------------------------------------

    def _hang_up(self) -> None:
        if hung_up():
            self._stop()
        else:
            self._wanted.set()

    async def _reload(self) -> None:
        """Whenever it is wanted: nothing changes unless all of it is sound."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            before = self._config
            try:
                # It may take its time, and workers have their questions meanwhile.
                self._config = await asyncio.to_thread(self._again, before)
            except ConfigError as error:
                for fault in error.faults:
                    _log.error("config", fault=str(fault))
                _log.error("not_reloaded", advice="the configuration from before is kept")
                continue
            for place in range(1, self._count + 1):
                if not await self._replace(place):
                    self._config = before
                    _log.error("not_reloaded", worker=place, advice="see the lines above")
                    break
            else:
                _log.info("reloaded", workers=self._count)

    async def _replace(self, place: int) -> bool:
        """A new worker in the place of the old one, which drains. False where it does not serve."""
        old = self._workers.get(place)
        if old is None or self._stopping.is_set():
            return True  # the next that starts has the new configuration
        if place == _LEADER and self._config.batch.engine.reveal() != "off":
            self._drain(old)
            await old.ended()  # two at once would work off the same batches
            return True
        new = _Worker([each.dup() for each in old.sockets])
        self._leaving.add(new)
        await self._begin(new, place)
        if not await new.settled():
            await new.ended()
            self._leaving.discard(new)
            return False
        self._leaving.discard(new)
        now = self._workers.get(place)  # the old one may have ended, and another have begun
        self._workers[place] = new
        if now is not None:
            self._leaving.add(now)
            now.replace(lambda: self._leaving.discard(now))
            self._drain(now)
        return True

    def _drain(self, worker: "_Worker") -> None:
        """It takes no more connections, and is gone in its time."""
        worker.close()
        worker.stop(now=False)
        seconds = self._config.server.drain + GRACE
        asyncio.get_running_loop().call_later(seconds, worker.kill)

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
        for worker in (*self._workers.values(), *self._leaving):
            worker.close()
            worker.stop(now=now)
        seconds = 2 * AT_ONCE if now else self._config.server.drain + GRACE
        asyncio.get_running_loop().call_later(seconds, self._kill)

    def _kill(self) -> None:
        for worker in (*self._workers.values(), *self._leaving):
            worker.kill()


class _Worker:
    """One process, from its start to its end.

    Its sockets are kept here too while it lives, so that who takes its place loses no connection
    that was not yet accepted.
    """

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        self.began = monotonic()
        self.sockets = sockets
        self.wire: PeerConnection | None = None
        self._process: SpawnProcess | None = None
        self._settled: asyncio.Future[bool] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        self._over: asyncio.Future[int] = loop.create_future()

    def start(self, work: Work, config: Config, line: socket.socket, place: int) -> None:
        """Starts the process. A fork would take the loop and its threads along."""
        process = get_context("spawn").Process(
            target=work, args=(config, list(self.sockets), line, place), daemon=True
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

    async def over(self) -> int:
        """The same, or 0 as soon as another has taken its place."""
        return await self._over

    def replace(self, on_end: Callable[[], None]) -> None:
        """Another has taken its place; it calls back at its end."""
        self._ended.add_done_callback(lambda _: on_end())
        if not self._over.done():
            self._over.set_result(0)

    def close(self) -> None:
        """Lets go of its sockets; the process has its own."""
        for each in self.sockets:
            each.close()
        self.sockets = ()

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
        self.close()
        code = 1 if code is None else code
        self._ended.set_result(code)
        if not self._over.done():
            self._over.set_result(code)
