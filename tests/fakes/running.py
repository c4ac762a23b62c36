"""The real program in a process of its own, and a real nginx before it."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


class GatewayProcess:
    """A running gateway: its URL, its process, and what it logged."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.port = 0
        self._log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def rss_bytes(self) -> int:
        """Bytes of memory that the process holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of its workers, where it has several."""
        pid = self.process.pid
        found = []
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
        return found

    def send_signal(self, number: signal.Signals) -> None:
        """Sends the process a signal."""
        self.process.send_signal(number)


@asynccontextmanager
async def run_gateway(
    folder: Path, config: str, env: dict[str, str] | None = None
) -> AsyncIterator[GatewayProcess]:
    """A gateway with that config.toml on a free port, ended by its process id.

    It is one process, unless the configuration says how many.
    """
    alone = [] if "\nworkers = " in config else ["--workers", "1"]
    file, log = folder / "config.toml", folder / "gateway.log"
    file.write_text(config)
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve", "--config", str(file), "--port", "0",
            *alone,
            cwd=ROOT, stdout=sink, stderr=sink,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)} | (env or {}),
        )  # fmt: skip
    running = GatewayProcess(process, log)
    try:
        running.port = await _wait_for_port(running)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _wait_for_port(running: GatewayProcess) -> int:
    for _ in range(400):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", running.log)
        if found:
            return int(found[1])
        if running.process.returncode is not None:
            break
        await asyncio.sleep(0.025)
    raise AssertionError(f"the gateway did not start:\n{running.log}")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def run_nginx(folder: Path, gateway_port: int) -> AsyncIterator[str]:
    """The shipped nginx.conf before a gateway: the URL of the site."""
    if not Path(NGINX).exists():
        if os.environ.get("INTERLINGUA_REQUIRE_NGINX"):
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    port = free_port()
    shipped = (ROOT / "deploy" / "nginx.conf").read_text()
    conf = folder / "nginx.conf"
    # Only the two addresses differ from what is shipped.
    conf.write_text(
        shipped.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace(
            "127.0.0.1:8082", f"127.0.0.1:{gateway_port}"
        )
    )
    process = await asyncio.create_subprocess_exec(
        NGINX, "-c", str(conf), "-p", str(folder), "-g", "daemon off;",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _wait_listening(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_listening(port: int, process: asyncio.subprocess.Process) -> None:
    for _ in range(400):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert process.returncode is None, "nginx did not start"
            await asyncio.sleep(0.025)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError("nginx does not listen")
