"""The measurements: rounds over all cases in turn, so that a slow minute hits all."""

from collections.abc import Sequence
from http.client import HTTPConnection
from time import perf_counter

import msgspec
from msgspec import Struct

from tests.bench import script
from tests.bench.cases import CASES, LATENCY, PACED, Case, Form, Server
from tests.bench.load import Close, Hold, Open, Rest, Result, Run
from tests.bench.processes import Failed, Fleet, Process, counts_instructions, instructions
from tests.bench.results import Added, Aged, Figures, Held, Start, middle, short, spread


class Length(Struct, frozen=True):
    """How long a run takes, and with it how steady its figures are."""

    rounds: int = 5
    warm: float = 0.15
    seconds: float = 0.9
    requests: int = 1000
    starts: int = 5
    streams: int = 1000
    rest: float = 2.0


QUICK = Length(rounds=2, warm=0.1, seconds=0.3, requests=200, starts=2, streams=100, rest=1.0)
_MIB = 1024 * 1024
_STRIDE = 50_000
_SETTLING = 0.5
"""Seconds after which a thousand streams that began at once go their own ways."""
Ports = dict[Server, tuple[Process | None, int]]


class Sample(Struct):
    """One round of one case, per request."""

    micros: float
    instructions: float | None
    reads: float
    per_second: float
    done: int


class Bench:
    """One run over the servers that are up."""

    def __init__(self, fleet: Fleet, length: Length) -> None:
        self._fleet = fleet
        self._length = length
        self._counts = counts_instructions()
        self._ports: Ports = {"direct": (None, fleet.upstreams.port)}
        self._headers: dict[Server, dict[Form, tuple[str, ...]]] = {}
        self.served = 0

    def up(
        self,
        server: Server,
        found: tuple[Process, int] | None,
        headers: dict[Form, tuple[str, ...]] | None = None,
    ) -> None:
        """Takes a server that was started, and the headers that its clients send."""
        if found is not None:
            self._ports[server] = found
            self._headers[server] = headers or {}

    def cases(self, cases: Sequence[Case]) -> dict[str, Figures]:
        """CPU time per request of each case, its nginx beside it."""
        cases = [case for case in cases if self._can(case)]
        samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
        figures = {
            case.name: Figures(case.title, budget=_budget(case, counts=self._counts))
            for case in cases
        }
        for _ in range(self._length.rounds):
            for case in cases:
                if figures[case.name].fault:
                    continue
                try:
                    samples[case.name].append(self._sample(case))
                except Rejected as rejected:
                    figures[case.name].fault = str(rejected)
        for case in cases:
            if not figures[case.name].fault:
                _fill(figures[case.name], samples[case.name], samples.get(case.reference, []))
                ours = samples.get(case.ours_beside, [])
                figures[case.name].ours = _ratio(samples[case.name], ours)
        return figures

    def _can(self, case: Case) -> bool:
        return case.server in self._ports and (not case.tls or self._fleet.upstreams.tls_port > 0)

    def _sample(self, case: Case) -> Sample:
        process, port = self._ports[case.server]
        assert process is not None
        load = self._fleet.load
        hits = cache_hits(port) if case.server == "cached" else 0
        headers = self._headers[case.server].get(case.form, ())
        load.order(Open(case.name, port, case.connections, headers=headers))
        try:
            warm = checked(load.order(Run(seconds=self._length.warm)))
            with instructions(process.pid, wanted=self._counts) as counted:
                before = process.cpu()
                result = checked(load.order(Run(seconds=self._length.seconds)))
                spent = process.cpu() - before
        finally:
            load.order(Close())
        process.trim()
        if case.server == "cached" and cache_hits(port) - hits < result.done:
            raise Rejected("answers that should have come from the cache did not")
        if case.server == "gateway":
            self.served += warm.done + result.done
        done = result.done
        return Sample(
            micros=spent / 1000 / done,
            instructions=counted[0] / done if counted else None,
            reads=result.reads / done,
            per_second=done / result.seconds,
            done=done,
        )

    def latency(self) -> dict[str, Added]:
        """One request at a time: what each server adds to the upstream's own time."""
        cases = [case for case in LATENCY if case.server in self._ports]
        rounds: dict[str, list[Result]] = {case.server: [] for case in cases}
        for _ in range(self._length.rounds):
            for case in cases:
                rounds[case.server].append(self._one_by_one(case))
        direct = rounds["direct"]
        return {
            server: Added(
                p50=1e6 * middle([one.p50 for one in found]),
                p99=1e6 * middle([one.p99 for one in found]),
                added_p50=1e6 * _difference([one.p50 for one in found], [d.p50 for d in direct]),
                added_p99=1e6 * _difference([one.p99 for one in found], [d.p99 for d in direct]),
            )
            for server, found in rounds.items()
        }

    def _one_by_one(self, case: Case) -> Result:
        load = self._fleet.load
        load.order(Open(case.name, self._ports[case.server][1], 1))
        try:
            checked(load.order(Run(requests=50)))
            return checked(load.order(Run(requests=self._length.requests)))
        finally:
            load.order(Close())

    def held(self) -> dict[str, Held]:
        """Memory per open stream and CPU per event of many slow streams."""
        return {
            case.name: self._held(case)
            for case in PACED
            if case.server in self._ports
        }  # fmt: skip

    def _held(self, case: Case) -> Held:
        # A fresh process: one that has served much has room to spare, and would show nothing.
        fleet, streams = self._fleet, self._length.streams
        if case.server == "direct":
            self._hold(case, fleet.upstreams.port)
            result = checked(fleet.load.order(Rest(self._length.rest)), streams=True)
            fleet.load.order(Close())
            return Held(case.title, streams, p50=1e6 * result.p50, p99=1e6 * result.p99)
        found = fleet.nginx() if case.server == "nginx" else fleet.gateway()
        assert found is not None
        process, port = found
        try:
            self._warm_paced(case, port)
            idle = process.rss()
            self._hold(case, port)
            before = process.cpu()
            result = checked(fleet.load.order(Rest(self._length.rest)), streams=True)
            spent, memory = process.cpu() - before, process.rss() - idle
            fleet.load.order(Close())
        finally:
            fleet.stop(process)
        return Held(
            case.title, streams, memory / streams / 1024, spent / 1000 / result.events,
            1e6 * result.p50, 1e6 * result.p99,
        )  # fmt: skip

    def _hold(self, case: Case, port: int) -> None:
        load = self._fleet.load
        load.order(Open(case.name, port, self._length.streams))
        checked(load.order(Hold()))
        load.order(Rest(_SETTLING))

    def _warm_paced(self, case: Case, port: int) -> None:
        load = self._fleet.load
        load.order(Open(case.name, port, 4))
        checked(load.order(Hold()))
        load.order(Rest(0.3))
        load.order(Close())

    def aged(self, total: int) -> list[Aged]:
        """Memory of a gateway that serves so many requests, whole and converted in turn."""
        process, port = self._fleet.gateway()
        load = self._fleet.load
        served, found = 0, [Aged(0, process.rss() / _MIB)]
        while served < total:
            for name in ("chat", "messages-chat"):
                load.order(Open(name, port, 32))
                served += checked(load.order(Run(requests=_STRIDE))).done
                load.order(Close())
                process.trim()
            found.append(Aged(served, process.rss() / _MIB))
        self._fleet.stop(process)
        return found

    def start(self) -> Start:
        """Starts of the gateway, one after the other; its bytecode was kept by the first."""
        walls, cpus, sizes = [], [], []
        for _ in range(self._length.starts):
            began = perf_counter()
            process, _ = self._fleet.gateway()
            walls.append(perf_counter() - began)
            cpus.append(process.cpu() / 1e9)
            sizes.append(process.rss() / 1024 / 1024)
            self._fleet.stop(process)
        start = Start(middle(walls), spread(walls), middle(cpus), middle(sizes))
        serving = self._ports["gateway"][0]
        if serving is not None:
            start.end_mib, start.served = serving.rss() / 1024 / 1024, self.served
        return start


class Rejected(Exception):
    """A round with a failed request."""


def checked(result: Result, *, streams: bool = False) -> Result:
    """The result. Rejected where any request failed or none was answered."""
    if result.failed:
        raise Rejected(f"{result.failed} failed: {'; '.join(result.faults)}")
    if not (result.events if streams else result.done):
        raise Rejected("no request was answered")
    return result


def cache_hits(port: int) -> int:
    """Answers that the gateway on that port has given from its cache."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        path, shown = "/v1/messages/cache/stats", {"authorization": f"Bearer {script.KEY}"}
        connection.request("GET", path, headers=shown)
        found = msgspec.json.decode(connection.getresponse().read(), type=_Stats)
    finally:
        connection.close()
    return found.cache_hits


class _Stats(Struct):
    cache_hits: int


def _fill(figures: Figures, samples: list[Sample], reference: list[Sample]) -> None:
    micros = [one.micros for one in samples]
    figures.micros, figures.spread = middle(micros), spread(micros)
    figures.reads = middle([one.reads for one in samples])
    figures.per_second = middle([one.per_second for one in samples])
    counted = [one.instructions for one in samples if one.instructions is not None]
    figures.instructions = round(middle(counted)) if counted else None
    figures.ratio = _ratio(samples, reference)


def _ratio(samples: list[Sample], reference: list[Sample]) -> float | None:
    pairs = zip(samples, reference, strict=False)
    ratios = [one.micros / other.micros for one, other in pairs]
    return middle(ratios) if ratios else None


def _difference(values: list[float], base: list[float]) -> float:
    return middle([one - other for one, other in zip(values, base, strict=True)])


def _budget(case: Case, *, counts: bool) -> str:
    words = [case.cpu] if case.cpu else []
    if case.instructions and counts:
        words.append(f"{short(case.instructions)} instructions")
    return ", ".join(words)


def wanted(names: Sequence[str]) -> list[Case]:
    """The cases of these names with the nginx cases they are compared to. Failed for none."""
    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failed(f"no case {unknown[0]!r}; known: {', '.join(known)}")
    found: dict[str, Case] = {}
    for name in names:
        case = known[name]
        found[case.reference] = known[case.reference]
        found[name] = case
    return list(found.values())
