"""Counting: the upstream's own count where it has one, else an estimate; never a completion.

What is learned of a pair of provider and model is learned from its real calls, once somebody has
asked for an estimate of it: then one call in `PAUSE` seconds is estimated as well, off the loop,
and compared with the usage that its upstream tells.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from math import ceil
from time import monotonic

from anyio import CapacityLimiter, to_thread

from gateway.call import Call, Target
from gateway.config.builtins import short_name
from gateway.counting.calibration import Calibration, ModelPair, Sample
from gateway.counting.dialects import (
    COUNTING_DIALECTS,
    GEMINI_COUNTING,
    MESSAGES_COUNTING,
    RESPONSES_COUNTING,
    read_count,
    strip_answer_members,
    write_count,
)
from gateway.counting.estimate import estimate_tokens
from gateway.counting.families import get_family, load_families
from gateway.counting.texts import Tokenizers, count_by_script
from gateway.dialect import Conversion, Dialect, Fields
from gateway.dialects.gemini import GEMINI
from gateway.dialects.gemini.signature_bundle import SEALED_JSON_PREFIX
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.errors import GatewayError, InvalidRequest, Unavailable, UpstreamError
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import sealed_in
from gateway.plugin import Middleware, Next, Runtime, chain
from gateway.reply import Reply, Stream

MAX_INLINE_BYTES = 65_536
"""Bytes of a body up to which it is estimated on the loop: two milliseconds."""
UPSTREAM_COUNT_TIMEOUT = 10.0
"""Seconds that the upstream's own count may take."""
ABSENT_SECONDS = 600.0
"""Seconds for which an upstream that has no counting is not asked again."""
SAMPLE_INTERVAL = 30.0
"""Seconds between two calls of a pair that are learned from."""
MAX_SAMPLE_BYTES = 1_000_000
"""Bytes of the largest call that is learned from."""
_CALL_DIALECT: dict[Dialect, tuple[Dialect, str]] = {
    MESSAGES_COUNTING: (MESSAGES, "messages"),
    GEMINI_COUNTING: (GEMINI, "contents"),
    RESPONSES_COUNTING: (RESPONSES, "input"),
}
"""The dialect in whose words a count asks, and the member that holds the conversation."""
_MAX_REMEMBERED = 1000
_CLIENT_ERROR_STATUSES = frozenset({400, 401, 403, 413, 422})
"""Statuses of an upstream's count that speak of the request, or of the client's own key."""
_UNSUPPORTED_STATUSES = frozenset({404, 405, 501})
_MAX_THREADS = 2
_ANSWER_LINKS = frozenset({"batch", "cache", "fallback", "convert"})
"""Links that have to do with answers; a count passes all others."""


def make_counting_chain(runtime: Runtime, links: Sequence[Middleware], last: Next) -> Next:
    """The chain of calls to `last`, and beside it that of counts, which share their links."""
    counter = TokenCounter(runtime)
    calls = chain(links, counter.wrap_sampling(last))
    counts = chain([link for link in links if short_name(link) not in _ANSWER_LINKS], counter)

    def answer(call: Call) -> Awaitable[Reply]:
        return counts(call) if call.dialect in COUNTING_DIALECTS else calls(call)

    return answer


class TokenCounter:
    """The end of the chain of counts."""

    def __init__(self, runtime: Runtime) -> None:
        load_families()  # here, because no count may read a disk on the loop
        self._runtime = runtime
        self._vocabularies = Tokenizers()
        self._calibration = Calibration()
        self._limiter = CapacityLimiter(_MAX_THREADS)
        self._absent: dict[str, float] = {}
        self._due: dict[ModelPair, float] = {}
        """When the next call of a pair is to be learned from; of those that were estimated."""
        self._samples: set[asyncio.Future[Sample]] = set()

    async def __call__(self, call: Call) -> Reply:
        """The count. InvalidRequest for what no call could say; Unauthenticated."""
        if call.target is None:
            raise GatewayError('no middleware routed the call; add [[middleware]] use = "alias"')
        reply = await self._count_upstream(call, call.target)
        return reply if reply is not None else await self._reply_estimate(call, call.target)

    # --- the upstream's own -----------------------------------------------------------------------

    async def _count_upstream(self, call: Call, target: Target) -> Reply | None:
        """The upstream's own count; None where it has none to give."""
        name = str(target)
        if self._absent.get(name, 0.0) > monotonic():
            return None
        asked = self._make_upstream_call(call, target)
        if asked is None:
            return None
        try:
            async with asyncio.timeout(UPSTREAM_COUNT_TIMEOUT):
                reply = await self._runtime.providers[target.provider].count(asked)
        except (TimeoutError, UpstreamError, Unavailable):
            return None
        if reply is None or isinstance(reply.body, Stream):
            await _close_reply(reply)
            return None
        if reply.error is not None:
            status = reply.error.upstream_status or reply.status
            if status in _UNSUPPORTED_STATUSES:
                self._remember_absent(name)
            return _translate_error(call, reply) if status in _CLIENT_ERROR_STATUSES else None
        tokens = read_count(reply.body)
        if tokens is None:
            return None
        if reply.dialect is call.dialect:
            return reply
        return Reply(200, call.dialect, write_count(call.dialect, tokens), reply.headers)

    def _make_upstream_call(self, call: Call, target: Target) -> Call | None:
        """The count to ask the upstream for, in its words; None where it has none to give."""
        words, contents = _CALL_DIALECT[call.dialect]
        if words in target.dialects:
            # Reasoning that another upstream minted would be refused by this one.
            said = bytes(call.fields.get(contents, b""))
            sealed = sealed_in(said) or SEALED_JSON_PREFIX in said
            return None if sealed else call.with_model(target.model)
        if MESSAGES not in target.dialects and GEMINI not in target.dialects:
            return None
        try:
            prompt = call.dialect.read_prompt(call.fields, LossReport())
        except UnicodeDecodeError:
            return None  # whoever estimates says so
        conversion = Conversion(
            prompt, target.provider, target.model, call.model, target.capability, LossReport(),
            self._runtime.seal,
        )  # fmt: skip
        if GEMINI in target.dialects:
            fields = GEMINI.write_prompt(conversion)
            fields.pop("generationConfig", None)  # it is of the answer
            return call.in_dialect(GEMINI_COUNTING, fields)
        return call.in_dialect(
            MESSAGES_COUNTING, strip_answer_members(MESSAGES.write_prompt(conversion))
        )

    def _remember_absent(self, name: str) -> None:
        if len(self._absent) >= _MAX_REMEMBERED:
            self._absent.clear()
        self._absent[name] = monotonic() + ABSENT_SECONDS

    # --- the estimate -----------------------------------------------------------------------------

    async def _reply_estimate(self, call: Call, target: Target) -> Reply:
        pair = (target.provider, target.model)
        self._calibration.learn_finished()
        self._watch_pair(pair)
        work = partial(self._estimate_tokens, call, target)
        known = self._vocabularies.is_loaded(get_family(target.model).vocabulary)
        if known and _count_bytes(call.fields) <= MAX_INLINE_BYTES:
            tokens = work()
        else:
            tokens = await to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
        body = write_count(call.dialect, ceil(tokens * self._calibration.get_factor(pair)))
        return Reply(200, call.dialect, body, [(b"x-gateway-estimate", b"1")])

    def _estimate_tokens(self, call: Call, target: Target) -> int:
        """The estimate before what was learned. InvalidRequest."""
        found = get_family(target.model)
        length = self._vocabularies.get_counter(found.vocabulary)
        try:
            prompt = call.dialect.read_prompt(call.fields, LossReport())
        except UnicodeDecodeError:
            raise InvalidRequest("the request body is not UTF-8") from None
        except InvalidRequest:
            if _CALL_DIALECT.get(call.dialect, (MESSAGES, ""))[0] not in target.dialects:
                raise
            # An upstream of the same dialect may take what no other dialect can say.
            texts = (bytes(raw).decode("utf-8", "replace") for raw in call.fields.values())
            return ceil(found.factor * sum(count_by_script(text) for text in texts))
        return estimate_tokens(prompt, found, length)

    # --- learning ---------------------------------------------------------------------------------

    def wrap_sampling(self, last: Next) -> Next:
        """`last`, some of whose calls are learned from."""

        def answer(call: Call) -> Awaitable[Reply]:
            if self._due and call.target is not None:
                self._start_sample(call, call.target)
            return last(call)

        return answer

    def _watch_pair(self, pair: ModelPair) -> None:
        if pair not in self._due:
            if len(self._due) >= _MAX_REMEMBERED:
                del self._due[next(iter(self._due))]
            self._due[pair] = 0.0

    def _start_sample(self, call: Call, target: Target) -> None:
        pair, now = (target.provider, target.model), monotonic()
        if now < self._due.get(pair, now + 1) or _count_bytes(call.fields) > MAX_SAMPLE_BYTES:
            return
        self._due[pair] = now + SAMPLE_INTERVAL
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(None, self._make_sample, call, target)
        self._samples.add(future)
        future.add_done_callback(self._keep_sample)

    def _make_sample(self, call: Call, target: Target) -> Sample:
        return Sample(
            (target.provider, target.model), self._estimate_tokens(call, target), call.record
        )

    def _keep_sample(self, future: "asyncio.Future[Sample]") -> None:
        self._samples.discard(future)
        # What cannot be estimated teaches nothing; whoever reads the call says what is wrong.
        if not future.cancelled() and future.exception() is None:
            self._calibration.add_sample(future.result())


async def _close_reply(reply: Reply | None) -> None:
    if reply is not None:
        await reply.aclose()


def _count_bytes(fields: Fields) -> int:
    return sum(memoryview(raw).nbytes for raw in fields.values())


def _translate_error(call: Call, reply: Reply) -> Reply:
    """An upstream's error as the client of this count reads it."""
    error, ours = reply.error, call.dialect
    if reply.dialect is ours or error is None:
        return reply
    body = ours.write_error(error, call.id)
    return Reply(ours.error_status(error), ours, body, reply.headers, error)
