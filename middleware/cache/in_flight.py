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
from middleware.cache.answer import AnswerListener, CachedAnswer

CHECK_INTERVAL = 1.0
"""Seconds between two looks of those who wait at how far their leader is."""
STALL_TIMEOUT = 2.0
"""Seconds that a leader's client may leave bytes unread before the others stop waiting."""

FlightEnd = Literal["whole", "unshared", "failed", "gone", "stuck"]
"""How a flight ended; `unshared`: well, but its answer is for the leader's client only."""


class FlightResult(Struct, frozen=True):
    """The end of a flight, and the answer that those who waited get."""

    end: FlightEnd
    answer: CachedAnswer | None = None
    stored: bool = False
    """The answer was there already."""


_STUCK = FlightResult("stuck")


class InFlight:
    """One call on its way upstream. `land` is due on every way out of it; the first one counts."""

    def __init__(self, on_landing: Callable[["InFlight"], None]) -> None:
        self._result: asyncio.Future[FlightResult] = asyncio.get_running_loop().create_future()
        self._on_done = on_landing
        self.stalled_since: float | None = None
        """Since when the leader's client has not asked for more."""

    @property
    def is_done(self) -> bool:
        """Whether the flight is over."""
        return self._result.done()

    def set_result(self, landing: FlightResult) -> None:
        """Wakes all who wait."""
        if not self._result.done():
            self._on_done(self)
            self._result.set_result(landing)

    async def wait_result(self) -> FlightResult:
        """The flight's end, or that it is stuck."""
        landing = self._result
        while not landing.done():
            await asyncio.wait({landing}, timeout=CHECK_INTERVAL)
            held = self.stalled_since
            if not landing.done() and held is not None and monotonic() - held > STALL_TIMEOUT:
                return _STUCK
        return landing.result()


class Tee(Source):
    """A stream that a listener hears on its way to the leader's client."""

    __slots__ = ("_flight", "_listener", "_on_complete", "_source")

    def __init__(
        self,
        source: Source,
        listener: AnswerListener,
        flight: InFlight,
        on_whole: Callable[[Message], None],
    ) -> None:
        self._source = source
        self._listener = listener
        self._flight = flight
        self._on_complete = on_whole
        flight.stalled_since = monotonic()

    async def read(self) -> bytes:
        """The next chunk, as it is."""
        flight = self._flight
        flight.stalled_since = None
        try:
            chunk = await self._source.read()
        except BaseException as fault:
            gone = isinstance(fault, asyncio.CancelledError)
            flight.set_result(FlightResult("gone" if gone else "failed"))
            raise
        if not flight.is_done:
            self._feed_listener(chunk)
        return chunk

    def _feed_listener(self, chunk: bytes) -> None:
        listener, flight = self._listener, self._flight
        listener.feed(chunk)
        if listener.message is not None:
            self._on_complete(listener.message)
        elif listener.verdict is not None:
            flight.set_result(FlightResult(listener.verdict))
        else:
            flight.stalled_since = monotonic()

    async def aclose(self) -> None:
        """Lets go of the source; what is not whole by now never will be."""
        self._flight.set_result(FlightResult("gone"))
        await self._source.aclose()
