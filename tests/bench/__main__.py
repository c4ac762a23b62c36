"""`make bench`: what a request and a stream cost, nginx beside it."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import msgspec

from tests.bench import callgrind, measure, peers, results, scaling, steady, table
from tests.bench.cases import CASES, Case
from tests.bench.measure import QUICK, Bench, Length, Rejected
from tests.bench.processes import Failed, Fleet
from tests.bench.results import Report


def main() -> int:
    """Runs what was asked for; 1 where a case was rejected or a process did not start."""
    options = _options()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        if options.check:
            return steady.check()
        if options.keep:
            steady.keep()
            return 0
        cases = measure.wanted(options.only) if options.only else list(CASES)
        with Fleet(awake=not (options.instructions or options.asleep)) as fleet:
            report = _simulated(fleet, cases, options) if options.instructions else None
            if options.long:
                report = _long(fleet)
            if options.scaling:
                report = Report(machine=results.machine(), grown=scaling.measured(fleet))
            report = report or _measured(fleet, cases, options)
    except (Failed, Rejected) as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(table.shown(report))
    if options.out:
        results.save(report, options.out)
    elif not (options.quick or options.only or options.streams or options.asleep):
        results.save(_merged(report), results.PLACE)
    found = {
        **report.cases,
        **(report.simulated.cases if report.simulated else {}),
    }
    return 1 if any(one.fault for one in found.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short, unsteady run")
    parser.add_argument("--only", metavar="CASE", action="append", help="one case; may be repeated")
    parser.add_argument(
        "--instructions", action="store_true", help="count instructions with valgrind instead"
    )
    parser.add_argument(
        "--keep", action="store_true", help="with --instructions: keep those that CI checks against"
    )
    parser.add_argument(
        "--check", action="store_true", help="whether a call takes more instructions than were kept"
    )
    parser.add_argument(
        "--long", action="store_true", help="memory over a million requests instead; four minutes"
    )
    parser.add_argument(
        "--peers", action="store_true", help="other gateways beside ours: make bench-peers"
    )
    parser.add_argument("--scaling", action="store_true", help="how cost grows, instead")
    parser.add_argument("--streams", type=int, help="how many paced streams instead of 1,000")
    parser.add_argument("--asleep", action="store_true", help="let the load and the upstream sleep")
    parser.add_argument("--no-gateway", action="store_true", help="nginx alone")
    parser.add_argument("--out", type=Path, help="where the result goes instead of result.json")
    return parser.parse_args()


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _measured(fleet: Fleet, cases: Sequence[Case], options: argparse.Namespace) -> Report:
    length = QUICK if options.quick else Length()
    if options.streams:
        length = msgspec.structs.replace(length, streams=options.streams)
    bench = Bench(fleet, length)
    bench.up("nginx", fleet.nginx())
    if not options.no_gateway:
        bench.up("gateway", fleet.gateway())
        if any(case.server == "cached" for case in cases):
            bench.up("cached", fleet.gateway(cached=True))
    report = Report(machine=results.machine())
    theirs = _peers(fleet, bench, report) if options.peers else []
    found = bench.cases([*cases, *theirs])
    report.peers = {case.name: found.pop(case.name) for case in theirs if case.name in found}
    report.cases = found
    if options.streams and options.only:
        report.held = bench.held()
    if not options.only:
        report.latency = bench.latency()
        report.held = bench.held()
        if not options.no_gateway:
            report.start = bench.start()
    report.machine.foreign = fleet.foreign()
    return report


def _long(fleet: Fleet) -> Report:
    report = Report(machine=results.machine())
    report.aged = Bench(fleet, Length()).aged(1_000_000)
    report.machine.foreign = fleet.foreign()
    return report


def _peers(fleet: Fleet, bench: Bench, report: Report) -> list[Case]:
    """Starts the peers that are installed; what they are asked."""
    cases: list[Case] = []
    for peer in peers.PEERS:
        if not peer.there:
            report.absent.append(peer.title)
            continue
        process, port, headers = fleet.peer(peer)
        bench.up(peer.name, (process, port), headers)
        cases += peer.cases()
    return cases


def _simulated(fleet: Fleet, cases: Sequence[Case], options: argparse.Namespace) -> Report:
    if options.no_gateway:
        cases = [case for case in cases if case.server == "nginx"]
    # Alone, each event costs the same instructions again: the slow simulator skips those cases.
    if not options.only:
        cases = [case for case in cases if case.form != "split" or case.client != case.upstream]
    counted = callgrind.counted(fleet, cases, requests=40 if options.quick else 200)
    return Report(simulated=counted)


def _merged(report: Report) -> Report:
    """The kept report with what this run measured in place of what it had."""
    kept = results.load()
    if report.simulated is not None:
        kept.simulated = report.simulated
        return kept
    if report.aged or report.grown:
        kept.aged = report.aged or kept.aged
        kept.grown = report.grown or kept.grown
        return kept
    report.simulated, report.aged, report.grown = kept.simulated, kept.aged, kept.grown
    if not report.peers:
        report.peers, report.absent = kept.peers, kept.absent
    return report


if __name__ == "__main__":
    sys.exit(main())
