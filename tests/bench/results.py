"""What a run found, as it is kept in result.json."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

PLACE = Path(__file__).with_name("result.json")


class Machine(Struct):
    """Where and with what a run was made."""

    cpu: str = ""
    cores: int = 0
    kernel: str = ""
    python: str = ""
    nginx: str = ""
    date: str = ""
    foreign: float = 0.0
    """Share of the machine that other programs used meanwhile: with much, distrust the figures."""


class Figures(Struct, omit_defaults=True):
    """One case, per request."""

    title: str
    micros: float = 0.0
    """CPU time in microseconds, the median of the rounds."""
    spread: float = 0.0
    """Half of the way from the least round to the most, as a part of the median."""
    ratio: float | None = None
    """CPU time as a multiple of nginx doing the same, the median of the rounds."""
    ours: float | None = None
    """CPU time of a peer as a multiple of ours for the same, the median of the rounds."""
    instructions: int | None = None
    """User-space instructions, where the machine counts them."""
    reads: float = 0.0
    """Reads that one reply took the client."""
    per_second: float = 0.0
    """Requests a second, the weakest figure: the load generator may be the limit."""
    budget: str = ""
    """What it may take, in the figure of its table."""
    fault: str = ""
    """Why the case was rejected."""


class Added(Struct):
    """Latency at one request at a time, in microseconds."""

    p50: float
    p99: float
    added_p50: float = 0.0
    added_p99: float = 0.0


class Held(Struct):
    """Streams held open with 20 events a second each, and what they take."""

    title: str
    streams: int
    kib_per_stream: float = 0.0
    micros_per_event: float = 0.0
    p50: float = 0.0
    """From an event's sending to its reading, in microseconds."""
    p99: float = 0.0


class Start(Struct):
    """From the start of the process until /readyz answers, and the memory it then has."""

    seconds: float
    spread: float
    cpu_seconds: float
    idle_mib: float
    end_mib: float = 0.0
    """Memory of the gateway that served all the cases."""
    served: int = 0
    """Requests that this gateway had then served."""


class Aged(Struct):
    """Memory of one gateway after so many requests."""

    served: int
    mib: float


class Grown(Struct):
    """What something costs at one size of what it depends on."""

    of: str
    size: int
    unit: str
    cost: float
    in_: str
    """What the cost is counted in."""
    growth: float | None = None
    """The exponent since the size before: 1 is linear."""
    steep: bool = False
    """It grows worse than linearly."""


class Counted(Struct):
    """Instructions per request, counted by simulation."""

    machine: Machine
    cases: dict[str, Figures]


class Report(Struct, omit_defaults=True):
    """A whole run."""

    machine: Machine = msgspec.field(default_factory=Machine)
    cases: dict[str, Figures] = {}
    latency: dict[str, Added] = {}
    held: dict[str, Held] = {}
    start: Start | None = None
    aged: list[Aged] = []
    grown: list[Grown] = []
    peers: dict[str, Figures] = {}
    """Other gateways, in the rounds of `cases` when they were last asked."""
    absent: list[str] = []
    """Peers that are not installed."""
    simulated: Counted | None = None


def machine() -> Machine:
    """This machine."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        nginx=_nginx(),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _nginx() -> str:
    path = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        return ""
    found = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=10, check=False)
    return found.stderr.strip().rpartition(" ")[2]


def load() -> Report:
    """The report that is kept; an empty one where there is none."""
    try:
        return msgspec.json.decode(PLACE.read_bytes(), type=Report)
    except FileNotFoundError:
        return Report()


def save(report: Report, place: Path) -> None:
    """Keeps the report, in lines that a review can read."""
    place.write_bytes(msgspec.json.format(msgspec.json.encode(_rounded(report)), indent=1) + b"\n")


def _rounded(report: Report) -> object:
    def tidy(value: object) -> object:
        if isinstance(value, float):
            return round(value, 3)
        if isinstance(value, dict):
            return {key: tidy(one) for key, one in value.items()}
        return value

    return tidy(msgspec.to_builtins(report))


def middle(values: list[float]) -> float:
    """The median; 0 of nothing."""
    return median(values) if values else 0.0


def spread(values: list[float]) -> float:
    """Half of the range, as a part of the median."""
    middling = middle(values)
    return (max(values) - min(values)) / 2 / middling if middling else 0.0


def short(count: float) -> str:
    """A large count in a few characters: 412k, 3.61M."""
    if count >= 1e6:
        return f"{count / 1e6:.3g}M"
    return f"{count / 1e3:.3g}k" if count >= 1e3 else f"{count:.3g}"
