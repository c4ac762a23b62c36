"""Processes that serve: uvicorn with our protocol, and a drain that tells whom it cuts."""

import asyncio
import os
import secrets
import signal
import socket
import sys
from contextlib import suppress
from math import ceil
from pathlib import Path
from types import FrameType

import msgspec
import structlog
import uvicorn

from gateway.app import Gateway, build
from gateway.assemble import Assembly, assemble
from gateway.config.load import Config, ConfigError, reload_config
from gateway.config.schema import Server as Options
from gateway.edge.exchange import Edge
from gateway.edge.fast_path import FastPathProtocol
from gateway.edge.http_limits import LimitedProtocol
from gateway.secret import Secret
from gateway.server.malloc import keep_freed
from gateway.server.sockets import Port, url_of
from gateway.server.supervisor import AT_ONCE, Signals, Supervisor, hung_up
from gateway.telemetry.log import close, setup
from gateway.telemetry.shares import REDUCERS
from gateway.workers.peers import NO_PEERS, Peers, WorkerPeers

_log = structlog.get_logger("interlingua")
_ARRIVING = 0.1
"""Seconds that who was let in last has for a request before a worker drains: others serve on."""


class Server(uvicorn.Server):
    """uvicorn's server, with a drain that tells clients what it cuts."""

    def __init__(self, config: uvicorn.Config, edge: Edge, drain: float) -> None:
        super().__init__(config)
        self._edge = edge
        self._drain = drain
        self._signals = Signals()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, the second ends at once."""
        self._captured_signals.append(sig)
        if not self._signals.is_same():
            self.stop(now=self.should_exit)

    def stop(self, *, now: bool) -> None:
        """Ends the server when the calls in flight have ended, or at once."""
        self.should_exit = True
        if now and not self.force_exit:
            self.force_exit = True
            if self._edge.loop is not None:
                self._edge.loop.call_soon_threadsafe(self._hang_up)

    def _hang_up(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """No new calls; those in flight have `drain` seconds, then an error they can read."""
        self._edge.draining = True
        _log.info("draining", calls=len(self._edge.open), seconds=self._drain)
        timer = asyncio.get_running_loop().call_later(self._drain, self._edge.cut)
        try:
            await super().shutdown(sockets)
            if self.force_exit:  # uvicorn leaves the application as it is
                with suppress(TimeoutError):
                    async with asyncio.timeout(AT_ONCE):
                        await self.lifespan.shutdown()
        finally:
            timer.cancel()
            _log.info("stopped")
            # uvicorn would raise the signal again, and end the process before its log is written.
            self._captured_signals.clear()


class Single(Server):
    """The server of a gateway with one process, which reads its configuration once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says where the gateway listens."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._keep_on)
        _log.info("listening", url=", ".join(url_of(each) for each in sockets or []))

    def _keep_on(self) -> None:
        if hung_up():
            self.stop(now=False)
        else:
            advice = "restart the gateway, or let it have 2 [server] workers or more"
            _log.warning("not_reloaded", advice=advice)


class Worker(Server):
    """The server of one worker: the supervisor says when it ends."""

    peers: WorkerPeers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tells the supervisor that it serves."""
        await super().startup(sockets)
        self.peers.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Has the supervisor let go of its sockets too, or connections would wait in vain."""
        self.peers.leaving()
        for server in self.servers:
            server.close()
        if not self.force_exit:
            await asyncio.sleep(_ARRIVING)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drains at a signal to this process alone; one from the terminal is the supervisor's."""
        if sig != signal.SIGINT:
            self.stop(now=False)


def serve(config: Config, config_path: Path | None = None, made: Assembly | None = None) -> int:
    """Runs the gateway until it is told to stop; the exit code.

    `made` is what was assembled of the configuration to check it; a process alone goes on with it.
    """
    options = config.server
    setup(config.log.level, config.log.format)
    _log.info("starting", config=str(config_path) if config_path else "defaults and environment")
    count = options.workers or usable_cores()
    try:
        port = Port(options.host, options.port, workers=count)
    except OSError as fault:
        why = os.strerror(fault.errno) if fault.errno and fault.errno > 0 else str(fault)
        _log.error("cannot_listen", host=options.host, port=options.port, error=why)
        close()
        return 1
    try:
        if count > 1:
            shared = _shared(config, count)
            return asyncio.run(Supervisor(shared, port, work, REDUCERS, _again).run())
        return _run(config, port.sockets(), Single, NO_PEERS, made)
    finally:
        port.close()
        close()


def work(config: Config, sockets: list[socket.socket], line: socket.socket, place: int) -> None:
    """What one of several workers does."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the terminal's goes to the supervisor too
    setup(config.log.level, config.log.format, worker=place)
    try:
        sys.exit(_run(config, sockets, Worker, WorkerPeers(line, place, config.server.workers)))
    except ConfigError as error:
        for fault in error.faults:
            _log.error("config", fault=str(fault))
        sys.exit(1)
    finally:
        close()


def _run(
    config: Config,
    sockets: list[socket.socket],
    kind: type[Server],
    peers: Peers,
    made: Assembly | None = None,
) -> int:
    keep_freed()
    app = build(config, peers, made)
    options = config.server
    server = kind(_uvicorn(app, options), app.state.edge, options.drain)
    if isinstance(server, Worker) and isinstance(peers, WorkerPeers):
        server.peers = peers
        peers.on_stop = lambda now: server.stop(now=now)
    server.run(sockets)
    return 0 if server.started and not server.force_exit else 1


def _uvicorn(app: Gateway, options: Options) -> uvicorn.Config:
    kind = FastPathProtocol.before(app.endpoints) if options.fast_path else LimitedProtocol
    protocol = kind.limited(options.max_headers, options.max_header_bytes, options.header_timeout)
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(options.drain) + 2,
        backlog=2048,
    )


def _shared(config: Config, count: int) -> Config:
    """The configuration as all workers have it: one seal, or one would not know another's."""
    server, source = config.server, config.source
    seal_key = server.seal_key or Secret(secrets.token_hex(32))
    server = msgspec.structs.replace(server, workers=count, seal_key=seal_key)
    # Not the environment itself, which cannot be handed to another process.
    source = msgspec.structs.replace(source, env=dict(source.env))
    return msgspec.structs.replace(config, server=server, source=source)


def _again(config: Config) -> Config:
    """The configuration read anew, but for what a running gateway keeps. ConfigError."""
    before = config.server
    read = reload_config(config, config.source.env)
    assemble(read)
    for option in ("host", "port", "workers"):
        said = getattr(read.server, option)
        if said != getattr(before, option) and not (option == "workers" and not said):
            _log.warning("needs_restart", option=f"server.{option}")
    server = msgspec.structs.replace(
        read.server, host=before.host, port=before.port,
        seal_key=read.server.seal_key or before.seal_key,
    )  # fmt: skip
    return _shared(msgspec.structs.replace(read, server=server), before.workers)


def usable_cores() -> int:
    """How many cores this process may use, by its affinity and by the quota of its group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores or 1, ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        pass  # no such group, or no quota
    return max(1, cores or 1)
