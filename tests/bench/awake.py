"""Keeps a core from sleeping, and leaves it to whoever has work: at the least priority, yielding.

To wake a sleeping core costs a server 5 to 10 us of a virtual machine's time for each write to a
process there. A slow server pays that for each of its writes; one as quick as nginx seldom, for
it leaves the load no rest; and none pays it for a network card, which takes the writes elsewhere.
Run as `python -m tests.bench.awake CORE`; it ends with its standard input.
"""

import os
import select
import sys

_TURNS = 1000


def _keep() -> None:
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(_TURNS):
            os.sched_yield()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    _keep()
