"""A report as tables that read the same on a terminal and in Markdown."""

from collections.abc import Sequence

from tests.bench.results import Counted, Figures, Grown, Report, short

Row = Sequence[str]


def shown(report: Report) -> str:
    """The whole report."""
    parts = []
    if report.machine.date:
        parts.append(_machine(report))
    if report.cases:
        parts.append(_cases(report.cases | report.peers))
    if report.absent:
        parts.append(f"Not installed, and not measured: {', '.join(report.absent)}.")
    others = [*_latency(report), *_held(report), *_start(report)]
    if others:
        parts.append(_table(("", "measured", "budget"), others, left=1))
    if report.aged:
        rows = [(f"{one.served:,}", f"{one.mib:.1f}", "") for one in report.aged]
        parts.append(_table(("requests served", "MiB", ""), rows, left=1))
    if report.grown:
        parts.append(_grown(report.grown))
    if report.simulated is not None:
        parts.append(simulated(report.simulated))
    return "\n\n".join(parts)


def simulated(counted: Counted) -> str:
    """Instructions per request, counted by valgrind."""
    rows = []
    for found in counted.cases.values():
        if found.fault:
            rows.append((found.title, f"rejected: {found.fault[:100]}", ""))
        elif found.instructions is not None:
            rows.append((found.title, short(found.instructions), found.budget))
    return _table(("per request", "instructions (callgrind)", "budget"), rows, left=1)


def _machine(report: Report) -> str:
    one = report.machine
    nginx = f"nginx {one.nginx.removeprefix('nginx/')}" if one.nginx else "no nginx"
    words = [one.cpu, f"{one.cores} cores", f"Linux {one.kernel}", one.python, nginx, one.date]
    return f"{', '.join(words)}; other programs used {one.foreign:.0%} of it meanwhile"


def _cases(cases: dict[str, Figures]) -> str:
    counts = any(found.instructions for found in cases.values())
    beside = any(found.ours for found in cases.values())
    head = ["per request", "CPU us", "spread", "x nginx", "reads"]
    head += ["x ours"] if beside else []
    head += ["instructions"] if counts else []
    rows = []
    for found in cases.values():
        if found.fault:
            rows.append([found.title, "rejected", *[""] * (len(head) - 2), found.fault[:100]])
            continue
        row = [found.title, f"{found.micros:.1f}", f"{found.spread:.0%}", _times(found.ratio)]
        row.append(f"{found.reads:.0f}")
        if beside:
            row.append(_times(found.ours))
        if counts:
            row.append(short(found.instructions) if found.instructions else "")
        rows.append([*row, found.budget])
    return _table([*head, "budget"], rows, left=1)


def _grown(found: list[Grown]) -> str:
    rows = []
    for one in found:
        growth = "" if one.growth is None else f"{one.growth:.2f}"
        size, cost = f"{one.size:,} {one.unit}", f"{one.cost:,.1f} {one.in_}"
        rows.append((one.of, size, cost, growth, "worse than linear" if one.steep else ""))
    return _table(("", "size", "cost", "growth", ""), rows, left=1)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f}"


def _latency(report: Report) -> list[Row]:
    budgets = {"gateway": "p50 200 us, p99 500 us"}
    return [
        (
            f"latency added by {server}, one request at a time",
            f"p50 {found.added_p50:.0f} us, p99 {found.added_p99:.0f} us",
            budgets.get(server, ""),
        )
        for server, found in report.latency.items()
        if server != "direct"
    ]


def _held(report: Report) -> list[Row]:
    rows: list[Row] = []
    direct = report.held.get("paced-direct")
    for name, found in report.held.items():
        if found is direct:
            continue
        title = f"{found.title}: {found.streams:,} open, 20 events/s each"
        words = f"{found.micros_per_event:.1f} us an event, {found.kib_per_stream:.0f} KiB a stream"
        ours = not name.endswith("nginx")
        rows.append((title, words, "3x nginx an event, 60 KiB a stream" if ours else ""))
        if direct is not None:
            late = f"p50 {found.p50 - direct.p50:.0f} us, p99 {found.p99 - direct.p99:.0f} us"
            goal = "p50 500 us, p99 10,000 us" if ours else ""
            rows.append((f"{found.title}: delay added to an event", late, goal))
    return rows


def _start(report: Report) -> list[Row]:
    start = report.start
    if start is None:
        return []
    wall = f"{start.seconds * 1000:.0f} ms ({start.cpu_seconds * 1000:.0f} ms CPU)"
    rows: list[Row] = [
        ("start until /readyz answers", wall, "1 s"),
        ("memory, idle", f"{start.idle_mib:.0f} MiB", "60 MiB"),
    ]
    if start.served:
        rows.append((f"memory after {start.served:,} requests", f"{start.end_mib:.0f} MiB", "flat"))
    return rows


def _table(head: Row, rows: Sequence[Row], *, left: int) -> str:
    """Columns in line; the first `left` and the last are text, the others numbers."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    last = len(head) - 1

    def line(row: Row) -> str:
        cells = [
            text.ljust(width) if n < left or n == last else text.rjust(width)
            for n, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    marks = [
        "-" * width if n < left or n == last else "-" * (width - 1) + ":"
        for n, width in enumerate(widths)
    ]
    return "\n".join([line(head), line(marks), *(line(row) for row in rows)])
