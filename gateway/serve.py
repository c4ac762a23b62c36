"""One process that serves: uvicorn with our protocol, and a drain that tells whom it cuts."""

import asyncio
from pathlib import Path

import structlog
import uvicorn

from gateway.app import build
from gateway.asgi import Edge
from gateway.config import Config
from gateway.guard import GuardedProtocol
from gateway.log import close, setup
from gateway.memory import keep_freed

_log = structlog.get_logger("interlingua")


class Server(uvicorn.Server):
    """uvicorn's server, with a drain that tells clients what it cuts."""

    def __init__(self, config: uvicorn.Config, edge: Edge, drain: float) -> None:
        super().__init__(config)
        self._edge = edge
        self._drain = drain

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Says where the gateway listens."""
        await super().startup(sockets=None)
        for server in getattr(self, "servers", []):
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host
                _log.info("listening", url=f"http://{shown}:{port}")

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """No new calls; those in flight have `drain` seconds, then an error they can read."""
        self._edge.draining = True
        _log.info("draining", calls=len(self._edge.open), seconds=self._drain)
        timer = asyncio.get_running_loop().call_later(self._drain, self._edge.cut)
        try:
            await super().shutdown(sockets=None)
        finally:
            timer.cancel()
            _log.info("stopped")
            # uvicorn would raise the signal again, and end the process before its log is written.
            self._captured_signals.clear()


def serve(config: Config, config_path: Path | None = None) -> int:
    """Runs the gateway until it is told to stop; the exit code."""
    setup(config.log.level, config.log.format)
    keep_freed()
    app = build(config)
    options = config.server
    guard = GuardedProtocol.limited(
        options.max_headers, options.max_header_bytes, options.header_timeout
    )
    server = Server(
        uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            http=guard,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(options.drain) + 2,
            backlog=2048,
        ),
        app.state.edge,
        options.drain,
    )
    _log.info("starting", config=str(config_path) if config_path else "defaults and environment")
    try:
        server.run()
    finally:
        close()
    return 0 if server.started else 1
