"""One call that may be answered from the cache: as a hit, as a leader, or after a leader."""

from asyncio import CancelledError
from functools import partial

import msgspec

from gateway.call import Call
from gateway.dialect import Conversion
from gateway.errors import BadAnswer
from gateway.neutral.events import Message
from gateway.plugin import Next
from gateway.reply import Reply, Stream
from middleware.cache.answer import (
    AnswerListener,
    CachedAnswer,
    encode_stored,
    get_answer_format,
    parse,
    parse_stored,
    render,
    replay,
    should_report_usage,
)
from middleware.cache.in_flight import FlightResult, InFlight, Tee
from middleware.cache.key import CacheKey
from middleware.cache.stats import CacheStats
from middleware.cache.store import CacheStore, RenderedAnswer, StoreDown

MAX_LEADER_FAILURES = 2
"""Leaders that may fail before those who wait ask for themselves."""


class CacheState:
    """What the calls of one cache share: the answers that are kept, and the flights."""

    def __init__(self, store: CacheStore, limit: int) -> None:
        self.store = store
        self.max_stream_bytes = limit
        """Bytes of a stream beyond which it is not listened to."""
        self.stats = CacheStats()
        self._flights: dict[CacheKey, InFlight] = {}

    def find_rendered(self, call: Call, key: CacheKey) -> Reply | None:
        """The stored answer as this call wants it, where it was said so before."""
        told = self.store.get_rendered(key, get_answer_format(call))
        return self.serve_hit(call, told) if told is not None else None

    def serve_hit(self, call: Call, told: RenderedAnswer) -> Reply:
        """A stored answer, given to this call."""
        call.record.cache = "hit"
        self.stats.record_hit(call.record.started)
        return replay(told, call)

    def find_flight(self, key: CacheKey) -> InFlight | None:
        """The equal call in flight, if any."""
        return self._flights.get(key)

    def start_flight(self, key: CacheKey) -> InFlight:
        """A new flight: the one that equal calls find from now on."""
        flight = self._flights[key] = InFlight(partial(self.forget_flight, key))
        return flight

    def forget_flight(self, key: CacheKey, flight: InFlight) -> None:
        """Equal calls do not find that flight any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]


class Lookup:
    """One call's way to its answer."""

    def __init__(
        self, shelf: CacheState, call: Call, key: CacheKey, conversion: Conversion
    ) -> None:
        self._state = shelf
        self._call = call
        self._key = key
        self._conversion = conversion

    async def answer_call(self, next: Next) -> Reply:
        """The call's answer, `next` asked only where it has to be."""
        shelf, failures = self._state, 0
        while failures < MAX_LEADER_FAILURES:
            flight = shelf.find_flight(self._key)
            if flight is None:
                return await self._lead_flight(shelf.start_flight(self._key), next)
            self._call.record.cache = "coalesced"
            landing = await flight.wait_result()
            if landing.answer is not None and landing.answer.can_serve(
                self._call, self._conversion
            ):
                return self._reply_from_flight(landing)
            if landing.end == "stuck":
                shelf.forget_flight(self._key, flight)
            elif landing.end == "unshared":
                break
            elif landing.end != "gone":
                failures += 1
        self._call.record.cache = "miss"
        shelf.stats.record_miss()
        return await next(self._call)

    def _reply_from_flight(self, landing: FlightResult) -> Reply:
        assert landing.answer is not None
        if landing.stored:
            return self._reply_from_store(landing.answer)
        self._state.stats.record_coalesced()
        return replay(render(landing.answer, self._call, self._conversion), self._call)

    def _reply_from_store(self, answer: CachedAnswer) -> Reply:
        call = self._call
        told = render(answer, call, self._conversion)
        self._state.store.put_rendered(self._key, get_answer_format(call), told)
        return self._state.serve_hit(call, told)

    # --- the leader -------------------------------------------------------------------------------

    async def _lead_flight(self, flight: InFlight, next: Next) -> Reply:
        try:
            answer = await self._load_stored()
            if answer is not None:
                flight.set_result(FlightResult("whole", answer, stored=True))
                return self._reply_from_store(answer)
            return self._listen_to_reply(await next(self._call), flight)
        except BaseException as fault:
            gone = isinstance(fault, CancelledError)
            flight.set_result(FlightResult("gone" if gone else "failed"))
            raise

    async def _load_stored(self) -> CachedAnswer | None:
        """The stored answer, if any, and if it suits this call."""
        record, shelf = self._call.record, self._state
        record.cache = "miss"
        try:
            value = await shelf.store.get(self._key)
        except StoreDown:
            record.cache = "bypass"
            return None
        try:
            answer = parse_stored(value) if value is not None else None
        except BadAnswer:
            answer = None
        if answer is not None and answer.can_serve(self._call, self._conversion):
            return answer
        shelf.stats.record_miss()
        return None

    def _listen_to_reply(self, reply: Reply, flight: InFlight) -> Reply:
        """The upstream's reply, heard on its way."""
        if reply.error is not None or reply.status != 200:
            flight.set_result(FlightResult("failed"))
            return reply
        dialect = self._call.dialect  # a reply's may hear along itself: by name they are one
        if reply.dialect.name != dialect.name:
            flight.set_result(FlightResult("unshared"))
            return reply
        if isinstance(reply.body, Stream):
            listener = AnswerListener(dialect, self._conversion, self._state.max_stream_bytes)
            tee = Tee(reply.body, listener, flight, partial(self._finish_answer, flight))
            return msgspec.structs.replace(reply, body=Stream(tee))
        self._finish_answer(flight, parse(reply.body, dialect, self._conversion), reply.body)
        return reply

    def _finish_answer(self, flight: InFlight, message: Message | None, body: bytes = b"") -> None:
        """Keeps the answer where it may be kept, and shares it with those who wait.

        `body` is the whole answer's own bytes, for equal calls that want it in the same form.
        """
        record = self._call.record
        if record.cache == "miss":
            self._state.stats.record_answered(record.started)
        if message is None or self._conversion.notes.entries:
            flight.set_result(FlightResult("unshared"))
            return
        usage = message.ending.usage = message.ending.usage or record.usage
        counted = usage is not None or should_report_usage(self._call, self._conversion)
        answer = CachedAnswer(self._call.dialect.name, message, counted, list(record.warnings))
        first = self._call.targets[0]
        # What a stand-in said must not outlive the time in which the first target was out.
        asked = (record.provider, record.model) == (first.provider, first.model)
        if asked and answer.has_normal_ending and (value := encode_stored(answer)) is not None:
            self._state.store.put(self._key, value)
            if body:
                self._state.store.put_rendered(
                    self._key, get_answer_format(self._call), RenderedAnswer(body, answer.warnings)
                )
        flight.set_result(FlightResult("whole", answer))
