"""The processes of a run: started on their cores, measured from /proc, ended by pid."""

import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, process_time, sleep
from types import TracebackType
from typing import IO

import msgspec

from tests.bench.awake import ASLEEP, AWAKE
from tests.bench.cases import PREFIXES, Form
from tests.bench.configs import NGINX, Upstreams, certificate, gateway_config
from tests.bench.load import Order, Result
from tests.bench.peers import Peer

ROOT = Path(__file__).parents[2]
READY = b"GET %b HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
_PR_SET_PDEATHSIG = 1
LOG_LIMIT = 16 * 1024 * 1024


class Failed(Exception):
    """A process that did not start, or a run with a failed request."""


def cores() -> tuple[int, int]:
    """The server's core, and that of the load and the upstream."""
    ours = sorted(os.sched_getaffinity(0))
    return ours[0], ours[-1]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Process:
    """A child, with its output in a file."""

    def __init__(
        self, command: Sequence[str], core: int, folder: Path, name: str,
        env: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.spent = 0
        self._log = folder / f"{name}.log"
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        # Without its bytecode kept, a start would be measured that no operator has.
        environment["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
        environment |= env or {}
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C is ours to pass on.
            self.child = subprocess.Popen(
                command, cwd=ROOT, env=environment, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                preexec_fn=lambda: _bound(core),
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.child.pid

    def said(self) -> str:
        """The end of what it wrote."""
        return self._log.read_bytes()[-2000:].decode(errors="replace")

    def cpu(self) -> int:
        """Nanoseconds of CPU time, user and system, of all its threads."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total

    def rss(self) -> int:
        """Bytes of memory held."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failed(f"{self.name} has no memory")

    def wait_ready(self, port: int, seconds: float, path: str = "/readyz") -> None:
        """Asks for the path until it is there. Failed where it never is."""
        until = monotonic() + seconds
        while monotonic() < until:
            if self.child.poll() is not None:
                break
            if _ready(port, path):
                return
            sleep(0.004)
        raise Failed(f"{self.name} did not start:\n{self.said()}")

    def trim(self) -> None:
        """Empties a log that has grown large."""
        if self._log.stat().st_size > LOG_LIMIT:
            os.truncate(self._log, 0)

    def end(self) -> None:
        """Ends it, by force where it does not listen."""
        for stream in (self.child.stdin, self.child.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        if self.child.poll() is None:
            with suppress(OSError):
                self.spent = self.cpu()
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()


def _bound(core: int) -> None:
    """In the child: its core, and an end even where the bench is killed outright."""
    os.sched_setaffinity(0, {core})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _ready(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as one:
            one.sendall(READY % path.encode())
            return b" 200 " in one.recv(256)[:16]
    except OSError:
        return False


class Loader:
    """The load generator's process, from this side."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def order(self, order: Order) -> Result:
        """Has it done. Failed where it ended instead."""
        stdin, stdout = _pipes(self._process)
        line = b""
        with suppress(BrokenPipeError):
            stdin.write(msgspec.json.encode(order) + b"\n")
            stdin.flush()
            line = stdout.readline()
        if not line:
            raise Failed(f"the load generator ended:\n{self._process.said()}")
        return msgspec.json.decode(line, type=Result)


def _pipes(process: Process) -> tuple[IO[bytes], IO[bytes]]:
    assert process.child.stdin is not None
    assert process.child.stdout is not None
    return process.child.stdin, process.child.stdout


def _busy() -> float:
    """Seconds that all cores together have worked since the machine started."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _, _, irq, soft, steal = map(int, fields)
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


class Fleet:
    """Everything a run starts; leaving the block ends it all.

    `awake` has the load and the upstream never sleep: see `tests.bench.awake`.
    """

    def __init__(self, *, awake: bool = False) -> None:
        self._awake = AWAKE if awake else ASLEEP
        self.server_core, self.load_core = cores()
        self._processes: list[Process] = []
        self._ended = 0
        self._began = 0.0, 0.0

    def __enter__(self) -> "Fleet":
        self.folder = Path(tempfile.mkdtemp(prefix="interlingua-bench-"))
        self._began = _busy() - process_time(), monotonic()
        try:
            certified = certificate(self.folder)
            upstream = self._own("upstream", *([str(self.folder)] if certified else []))
            ports = _pipes(upstream)[1].readline().split()
            if ports:
                ca = str(self.folder / "cert.pem")
                self.upstreams = Upstreams(int(ports[0]), int(ports[1]), ca)
            else:
                raise Failed(f"the upstream did not start:\n{upstream.said()}")
            self.load = Loader(self._own("load"))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            process.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _own(self, module: str, *more: str) -> Process:
        core = self.load_core
        command = [sys.executable, "-m", f"tests.bench.{module}", str(core), self._awake, *more]
        return self.start(command, module, core)

    def start(
        self, command: Sequence[str], name: str, core: int | None = None,
        env: dict[str, str] | None = None,
    ) -> Process:  # fmt: skip
        """A process that ends with the run, on the server's core unless told."""
        core = self.server_core if core is None else core
        process = Process(command, core, self.folder, name, env)
        self._processes.append(process)
        return process

    def stop(self, process: Process) -> None:
        """Ends one before the others."""
        self._processes.remove(process)
        process.end()
        self._ended += process.spent

    def foreign(self) -> float:
        """The share of the machine that others have used since the first process of the run."""
        ours = (self._ended + sum(process.cpu() for process in self._processes)) / 1e9
        busy = _busy() - process_time() - self._began[0] - ours
        return max(0.0, busy / (monotonic() - self._began[1]) / (os.cpu_count() or 1))

    def nginx(self, under: Sequence[str] = ()) -> tuple[Process, int] | None:
        """nginx before the upstream and its port; None where there is no nginx."""
        path = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if path is None:
            return None
        port = free_port()
        text = NGINX.format(port=port, upstream=self.upstreams.port)
        (self.folder / "nginx.conf").write_text(text)
        process = self.start(
            [*under, path, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], "nginx"
        )
        process.wait_ready(port, 60 if under else 10)
        return process, port

    def gateway(
        self,
        prefixes: dict[Form, str] = PREFIXES,
        under: Sequence[str] = (),
        *,
        cached: bool = False,
        more: str = "",
    ) -> tuple[Process, int]:
        """The gateway with a provider for each dialect and form, and its port.

        `more` stands behind its aliases.
        """
        port = free_port()
        name = "cached" if cached else "gateway"
        config = self.folder / f"{name}.toml"
        config.write_text(gateway_config(port, self.upstreams, prefixes, cached=cached) + more)
        serve = ["-m", "gateway", "serve", "--config", str(config)]
        process = self.start([*under, sys.executable, *serve], name)
        process.wait_ready(port, 300 if under or more else 20)
        return process, port

    def peer(self, peer: Peer) -> tuple[Process, int, dict[Form, tuple[str, ...]]]:
        """Another gateway, its port, and the headers that its clients send."""
        port = free_port()
        setup = peer.setup(port, self.upstreams, self.folder)
        process = self.start(setup.command, peer.name, env=setup.env)
        process.wait_ready(port, 90, setup.ready)
        return process, port, setup.headers


# --- counters -------------------------------------------------------------------------------------


def counts_instructions() -> bool:
    """Whether this machine lets `perf` count them."""
    if shutil.which("perf") is None:
        return False
    found = subprocess.run(
        ["perf", "stat", "-x,", "-e", "instructions:u", "true"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return _perf_count(found.stderr) is not None


def _perf_count(text: str) -> int | None:
    for line in text.splitlines():
        count, _, rest = line.partition(",")
        if "instructions" in rest and count.isdigit():
            return int(count)
    return None


@contextmanager
def instructions(pid: int, *, wanted: bool) -> Iterator[list[int]]:
    """Counts a process's instructions while the block runs; the list has them afterwards."""
    found: list[int] = []
    if not wanted:
        yield found
        return
    perf = subprocess.Popen(
        ["perf", "stat", "-x,", "-e", "instructions:u", "-p", str(pid)],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        sleep(0.15)  # it says nothing when it is attached
        yield found
    finally:
        perf.send_signal(signal.SIGINT)
        _, text = perf.communicate(timeout=10)
        count = _perf_count(text or "")
        found += [count] if count is not None else []
