"""Equal calls in flight: the first asks the upstream, the others wait for its whole answer.

Those who wait get the answer when it is whole, each in its own dialect and form. They never wait
for somebody who does not go on: a leader that fails or leaves lands its flight at once, and one
whose client does not read is left alone.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Literal

from msgspec import Struct

from gateway.neutral.events import Message
from gateway.reply import Source
from middleware.cache.answer import Answer, Listener

LOOK = 1.0
"""Seconds between two looks of those who wait at how far their leader is."""
PATIENCE = 2.0
"""Seconds that a leader's client may leave bytes unread before the others stop waiting."""

End = Literal["whole", "unshared", "failed", "gone", "stuck"]
"""How a flight ended; `unshared`: well, but its answer is for the leader's client only."""


class Landing(Struct, frozen=True):
    """The end of a flight, and the answer that those who waited get."""

    end: End
    answer: Answer | None = None
    stored: bool = False
    """The answer was there already."""


_STUCK = Landing("stuck")


class Flight:
    """One call on its way upstream. `land` is due on every way out of it; the first one counts."""

    def __init__(self, on_landing: Callable[["Flight"], None]) -> None:
        self._landing: asyncio.Future[Landing] = asyncio.get_running_loop().create_future()
        self._on_landing = on_landing
        self.held_since: float | None = None
        """Since when the leader's client has not asked for more."""

    @property
    def landed(self) -> bool:
        """Whether the flight is over."""
        return self._landing.done()

    def land(self, landing: Landing) -> None:
        """Wakes all who wait."""
        if not self._landing.done():
            self._on_landing(self)
            self._landing.set_result(landing)

    async def wait(self) -> Landing:
        """The flight's end, or that it is stuck."""
        landing = self._landing
        while not landing.done():
            await asyncio.wait({landing}, timeout=LOOK)
            held = self.held_since
            if not landing.done() and held is not None and monotonic() - held > PATIENCE:
                return _STUCK
        return landing.result()


class Tee:
    """A stream that a listener hears on its way to the leader's client."""

    __slots__ = ("_flight", "_listener", "_on_whole", "_source")

    def __init__(
        self,
        source: Source,
        listener: Listener,
        flight: Flight,
        on_whole: Callable[[Message], None],
    ) -> None:
        self._source = source
        self._listener = listener
        self._flight = flight
        self._on_whole = on_whole
        flight.held_since = monotonic()

    async def read(self) -> bytes:
        """The next chunk, as it is."""
        flight = self._flight
        flight.held_since = None
        try:
            chunk = await self._source.read()
        except BaseException as fault:
            gone = isinstance(fault, asyncio.CancelledError)
            flight.land(Landing("gone" if gone else "failed"))
            raise
        if not flight.landed:
            self._heard(chunk)
        return chunk

    def _heard(self, chunk: bytes) -> None:
        listener, flight = self._listener, self._flight
        listener.hear(chunk)
        if listener.message is not None:
            self._on_whole(listener.message)
        elif listener.verdict is not None:
            flight.land(Landing(listener.verdict))
        else:
            flight.held_since = monotonic()

    async def aclose(self) -> None:
        """Lets go of the source; what is not whole by now never will be."""
        self._flight.land(Landing("gone"))
        await self._source.aclose()
