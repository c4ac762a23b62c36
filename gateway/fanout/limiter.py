"""So many at a time, the first come first, where "so many" may change from one moment to the next.

    async with limiter: ...

Nobody is stopped when the room shrinks: it is the next ones who wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

LOOK = 0.05
"""Seconds between two looks at the room while somebody waits: nothing tells when it has grown."""


class Limiter:
    """Slots for one kind of work; `room` is asked how many there are."""

    def __init__(self, room: Callable[[], int]) -> None:
        self._room = room
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.taken = 0
        """Slots that are in use."""

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    async def __aenter__(self) -> None:
        """Takes a slot, waiting for it in turn."""
        if not self._waiting and self.taken < self._room():
            self.taken += 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if self._timer is None:
            self._timer = loop.call_later(LOOK, self._look)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # its turn may have been passed over already
                    self._waiting.remove(turn)
            else:  # it came with the cancellation
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Gives the slot to the next."""
        self._leave()

    def _leave(self) -> None:
        self.taken -= 1
        self._grant()

    def _grant(self) -> None:
        while self._waiting and self.taken < self._room():
            turn = self._waiting.popleft()
            if not turn.done():  # else whoever waited is gone
                self.taken += 1
                turn.set_result(None)

    def _look(self) -> None:
        self._timer = None
        self._grant()
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(LOOK, self._look)
