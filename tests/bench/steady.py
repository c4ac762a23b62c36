"""The instructions that a few cases may take, kept in instructions.json and checked in CI.

Instructions, unlike time, hardly depend on the machine and not on what else it does. They do depend
on the interpreter and on how it was compiled: figures of another say nothing, and are not compared.
"""

import os
import platform
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import msgspec

from tests.bench import callgrind
from tests.bench.cases import NAMED
from tests.bench.processes import Failed, Fleet
from tests.bench.results import short

PLACE = Path(__file__).with_name("instructions.json")
CASES = ("chat", "messages-chat", "stream")
SLACK = 0.10
"""How much more than the kept figure is let through, as a part of it."""
REQUESTS = 40
RENEW = "python -m tests.bench --instructions --keep"
HELP = f"""\
More than {SLACK:.0%} above what tests/bench/instructions.json keeps: something was added to the way
of a call. `git bisect run make bench-check` finds the commit, and
`python -m tests.bench --instructions --only chat` counts a single case. If it has to be there,
renew the figures, in a commit that says why:
  {RENEW}"""
FEWER = f"Fewer than are kept: renew the figures, so that they cannot slide back:\n  {RENEW}"

Figures = dict[str, int]
"""Instructions of one request by the name of its case."""


def counted() -> Figures:
    """What one request of each case takes now. Failed where one was rejected."""
    with Fleet() as fleet:
        cases = [NAMED[name] for name in CASES]
        found = callgrind.counted(fleet, cases, requests=REQUESTS).cases
    counts = {}
    for name, figures in found.items():
        if figures.fault or figures.instructions is None:
            raise Failed(f"{figures.title}: {figures.fault or 'not counted'}")
        counts[name] = figures.instructions
    return counts


def keep() -> None:
    """Keeps what is counted now, for this interpreter."""
    kept = _kept() | {interpreter(): counted()}
    PLACE.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
    print(PLACE.read_text())


def check() -> int:
    """Counts and compares; 1 where a case takes too many, or nothing could be counted."""
    missing = _missing()
    if missing:
        print(f"instructions: not checked, {missing}")
        return 1 if os.environ.get("INTERLINGUA_REQUIRE_VALGRIND") else 0
    lines, failed = compared(_kept()[interpreter()], counted())
    print("\n".join(lines))
    return failed


def _missing() -> str:
    if shutil.which("valgrind") is None:
        return "for valgrind is not installed"
    known, here = _kept(), interpreter()
    if here not in known:
        return f"for nothing is kept for {here}, only for {' and '.join(known)}; see: {RENEW}"
    return ""


def compared(kept: Figures, now: Figures) -> tuple[list[str], int]:
    """What there is to say of each case, and the exit code."""
    changes = {name: now[name] / before - 1 for name, before in kept.items()}
    lines = [
        f"{NAMED[name].title:28} {short(now[name]):>6} instructions, kept {short(kept[name]):>6}, "
        f"{change:+.1%}{' TOO MANY' if change > SLACK else ''}"
        for name, change in changes.items()
    ]
    slow = any(change > SLACK for change in changes.values())
    if slow:
        lines.append(HELP)
    elif min(changes.values()) < -SLACK:
        lines.append(FEWER)
    return lines, int(slow)


def interpreter() -> str:
    """What the figures depend on: version, processor, and how the interpreter was compiled."""
    flags = (
        f"{sysconfig.get_config_var('PY_CORE_CFLAGS')} {sysconfig.get_config_var('CONFIG_ARGS')}"
    )
    levels = re.findall(r"-O\w+", flags)
    made = [levels[-1] if levels else "as it comes"]
    made += ["profiled"] if "--enable-optimizations" in flags else []
    made += ["lto"] if "lto" in flags else []
    version = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"
    return f"{version} {platform.machine()} {' '.join(made)}"


def _kept() -> dict[str, Figures]:
    if not PLACE.exists():
        return {}
    return msgspec.json.decode(PLACE.read_bytes(), type=dict[str, Figures])
