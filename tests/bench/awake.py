"""A loop that never sleeps: for the load and the upstream, so that nobody has to wake them.

To wake a process on a sleeping core costs a server 5 to 10 us of a virtual machine's time for each
write to it. A slow server pays that for each of its writes; one as quick as nginx seldom, for it
leaves the load no rest; and none pays it for a network card, which takes the writes elsewhere.
"""

import asyncio
import os

AWAKE, ASLEEP = "awake", "asleep"
"""How a process is told what to do."""


def keep(word: str) -> None:
    """Keeps the running loop awake where the word says so; the core is anybody's at each turn."""
    loop = asyncio.get_running_loop()

    def turn() -> None:
        os.sched_yield()
        loop.call_soon(turn)

    if word == AWAKE:
        turn()
