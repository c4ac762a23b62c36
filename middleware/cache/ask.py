"""One call that may be answered from the cache: as a hit, as a leader, or after a leader."""

from asyncio import CancelledError
from functools import partial

import msgspec

from gateway.call import Call
from gateway.dialect import Crossing
from gateway.errors import BadAnswer
from gateway.neutral.events import Message
from gateway.plugin import Next
from gateway.reply import Reply, Stream
from middleware.cache.answer import (
    Answer,
    Listener,
    form,
    heard,
    packed,
    replay,
    said,
    told_counts,
    unpacked,
)
from middleware.cache.flight import Flight, Landing, Tee
from middleware.cache.key import Key
from middleware.cache.measure import Measure
from middleware.cache.store import Store, StoreDown, Told

FAILURES = 2
"""Leaders that may fail before those who wait ask for themselves."""


class Shelf:
    """What the calls of one cache share: the answers that are kept, and the flights."""

    def __init__(self, store: Store, limit: int) -> None:
        self.store = store
        self.limit = limit
        """Bytes of a stream beyond which it is not listened to."""
        self.measure = Measure()
        self._flights: dict[Key, Flight] = {}

    def at_hand(self, call: Call, key: Key) -> Reply | None:
        """The stored answer as this call wants it, where it was said so before."""
        told = self.store.told(key, form(call))
        return self.hit(call, told) if told is not None else None

    def hit(self, call: Call, told: Told) -> Reply:
        """A stored answer, given to this call."""
        call.record.cache = "hit"
        self.measure.hit(call.record.started)
        return replay(told, call)

    def flight(self, key: Key) -> Flight | None:
        """The equal call in flight, if any."""
        return self._flights.get(key)

    def depart(self, key: Key) -> Flight:
        """A new flight: the one that equal calls find from now on."""
        flight = self._flights[key] = Flight(partial(self.forget, key))
        return flight

    def forget(self, key: Key, flight: Flight) -> None:
        """Equal calls do not find that flight any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]


class Ask:
    """One call's way to its answer."""

    def __init__(self, shelf: Shelf, call: Call, key: Key, crossing: Crossing) -> None:
        self._shelf = shelf
        self._call = call
        self._key = key
        self._crossing = crossing

    async def answer(self, next: Next) -> Reply:
        """The call's answer, `next` asked only where it has to be."""
        shelf, failures = self._shelf, 0
        while failures < FAILURES:
            flight = shelf.flight(self._key)
            if flight is None:
                return await self._lead(shelf.depart(self._key), next)
            self._call.record.cache = "coalesced"
            landing = await flight.wait()
            if landing.answer is not None and landing.answer.suits(self._call, self._crossing):
                return self._shared(landing)
            if landing.end == "stuck":
                shelf.forget(self._key, flight)
            elif landing.end == "unshared":
                break
            elif landing.end != "gone":
                failures += 1
        self._call.record.cache = "miss"
        shelf.measure.missed()
        return await next(self._call)

    def _shared(self, landing: Landing) -> Reply:
        assert landing.answer is not None
        if landing.stored:
            return self._replayed(landing.answer)
        self._shelf.measure.coalesced()
        return replay(said(landing.answer, self._call, self._crossing), self._call)

    def _replayed(self, answer: Answer) -> Reply:
        call = self._call
        told = said(answer, call, self._crossing)
        self._shelf.store.tell(self._key, form(call), told)
        return self._shelf.hit(call, told)

    # --- the leader -------------------------------------------------------------------------------

    async def _lead(self, flight: Flight, next: Next) -> Reply:
        try:
            answer = await self._kept()
            if answer is not None:
                flight.land(Landing("whole", answer, stored=True))
                return self._replayed(answer)
            return self._watched(await next(self._call), flight)
        except BaseException as fault:
            gone = isinstance(fault, CancelledError)
            flight.land(Landing("gone" if gone else "failed"))
            raise

    async def _kept(self) -> Answer | None:
        """The stored answer, if any, and if it suits this call."""
        record, shelf = self._call.record, self._shelf
        record.cache = "miss"
        try:
            value = await shelf.store.get(self._key)
        except StoreDown:
            record.cache = "bypass"
            return None
        try:
            answer = unpacked(value) if value is not None else None
        except BadAnswer:
            answer = None
        if answer is not None and answer.suits(self._call, self._crossing):
            return answer
        shelf.measure.missed()
        return None

    def _watched(self, reply: Reply, flight: Flight) -> Reply:
        """The upstream's reply, heard on its way."""
        if reply.error is not None or reply.status != 200:
            flight.land(Landing("failed"))
            return reply
        dialect = self._call.dialect  # a reply's may hear along itself: by name they are one
        if reply.dialect.name != dialect.name:
            flight.land(Landing("unshared"))
            return reply
        if isinstance(reply.body, Stream):
            listener = Listener(dialect, self._crossing, self._shelf.limit)
            tee = Tee(reply.body, listener, flight, partial(self._whole, flight))
            return msgspec.structs.replace(reply, body=Stream(tee))
        self._whole(flight, heard(reply.body, dialect, self._crossing), reply.body)
        return reply

    def _whole(self, flight: Flight, message: Message | None, body: bytes = b"") -> None:
        """Keeps the answer where it may be kept, and shares it with those who wait.

        `body` is the whole answer's own bytes, for equal calls that want it in the same form.
        """
        record = self._call.record
        if record.cache == "miss":
            self._shelf.measure.answered(record.started)
        if message is None or self._crossing.notes.entries:
            flight.land(Landing("unshared"))
            return
        usage = message.ending.usage = message.ending.usage or record.usage
        counted = usage is not None or told_counts(self._call, self._crossing)
        answer = Answer(self._call.dialect.name, message, counted, list(record.warnings))
        first = self._call.targets[0]
        # What a stand-in said must not outlive the time in which the first target was out.
        asked = (record.provider, record.model) == (first.provider, first.model)
        if asked and answer.ordinary and (value := packed(answer)) is not None:
            self._shelf.store.put(self._key, value)
            if body:
                self._shelf.store.tell(self._key, form(self._call), Told(body, answer.warnings))
        flight.land(Landing("whole", answer))
