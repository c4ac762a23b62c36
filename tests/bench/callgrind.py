"""Instructions per request on a machine that has no counter for them: valgrind simulates one.

A server runs without counting until it has started and is warm; then the counter is put to zero,
requests are sent, and what was counted is written out and divided. Exact, but slow.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench import results
from tests.bench.cases import SLOW_PREFIXES, Case
from tests.bench.load import Close, Open, Run
from tests.bench.measure import Rejected, checked
from tests.bench.processes import Failed, Fleet, Process
from tests.bench.results import Counted, Figures, short


def counted(fleet: Fleet, cases: Sequence[Case], *, requests: int) -> Counted:
    """Instructions per request of the cases, of streams fewer than of the rest."""
    if shutil.which("valgrind") is None or shutil.which("callgrind_control") is None:
        raise Failed("valgrind is not installed")
    figures: dict[str, Figures] = {}
    for server in ("nginx", "gateway", "cached"):
        chosen = [case for case in cases if case.server == server]
        if not chosen:
            continue
        dumps = fleet.folder / f"callgrind.{server}"
        under = _valgrind(dumps)
        found = (
            fleet.nginx(under)
            if server == "nginx"
            else fleet.gateway(SLOW_PREFIXES, under, cached=server == "cached")
        )
        if found is None:
            continue
        process, port = found
        for case in chosen:
            budget = short(case.instructions) if case.instructions else ""
            figures[case.name] = Figures(case.title, budget=budget)
            try:
                _count(fleet, process, port, case, _share(case, requests), figures[case.name])
            except Rejected as rejected:
                figures[case.name].fault = str(rejected)
        fleet.stop(process)
    return Counted(results.machine(), figures)


def _valgrind(dumps: Path) -> list[str]:
    return [
        "valgrind", "--tool=callgrind", "--cache-sim=no", "--branch-sim=no", "--instr-atstart=no",
        "--compress-strings=no", f"--callgrind-out-file={dumps}",
    ]  # fmt: skip


def _share(case: Case, requests: int) -> int:
    return max(8, requests // 10) if case.form != "json" or case.agent else requests


def _count(
    fleet: Fleet, process: Process, port: int, case: Case, requests: int, figures: Figures
) -> None:
    connections = min(4, case.connections)
    fleet.load.order(Open(case.name, port, connections, slow=True))
    try:
        checked(fleet.load.order(Run(requests=max(connections, requests // 4))))
        _control(process, "-i", "on")
        # The first requests after the switch are translated anew; they are not counted.
        checked(fleet.load.order(Run(requests=connections)))
        _control(process, "-z")
        result = checked(fleet.load.order(Run(requests=requests)))
        total = _dumped(fleet.folder, process)
        _control(process, "-i", "off")
    finally:
        fleet.load.order(Close())
    figures.instructions = round(total / result.done)
    figures.reads = result.reads / result.done


def _control(process: Process, *order: str) -> None:
    done = subprocess.run(
        ["callgrind_control", *order, str(process.pid)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode or "OK" not in done.stdout:
        raise Failed(f"callgrind_control {' '.join(order)}: {done.stdout} {done.stderr}")


def _dumped(folder: Path, process: Process) -> int:
    """The instructions since the counter was zero."""
    before = set(folder.glob("callgrind.*"))
    _control(process, "-d")
    total = 0
    for dump in set(folder.glob("callgrind.*")) - before:
        for line in dump.read_text(errors="replace").splitlines():
            if line.startswith("totals:"):
                total += int(line.split()[1])
    if not total:
        raise Failed("callgrind wrote no totals")
    return total
