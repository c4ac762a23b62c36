"""Another key, the same again, or another target: before the first byte, under one budget.

What is tried again, and what is not:
  key-bound (401, 402, 403, 429)   the provider's next key at once, else the next target
  passing (408, 409, 5xx, 529, no connection, hang-up before an answer)
                                   the next target, else the same after a jittered wait
  timeouts                         the next target only: the same would be as slow
  all else (400, 404, 413, 422)    never: it would be the same again
"""

import asyncio
import random
from time import monotonic
from typing import Annotated

from msgspec import Meta, Struct

from gateway.call import Attempt, Call, Target
from gateway.errors import GatewayError, Resting, Unavailable, UpstreamError, UpstreamTimeout
from gateway.plugin import Middleware, Next
from gateway.reply import Reply

KEY_BOUND = frozenset({401, 402, 403, 429})
PASSING = frozenset({408, 409, 500, 502, 503, 504, 529})


class Fallback(Middleware):
    """Tries again where that can help; once bytes went to the client, nothing is tried again."""

    attempts: Annotated[int, Meta(ge=1)] = 3
    """Most upstream calls for one request, over all keys and targets."""
    wait: float = 0.5
    """Most seconds before the same target is tried again; doubled for each further time."""
    longest_wait: float = 5.0
    """A Retry-After of more seconds is passed on to the client instead of waited for."""
    budget: float = 0.0
    """Seconds after which no new attempt starts; 0: no limit."""

    async def __call__(self, call: Call, next: Next) -> Reply:
        """The first answer that stands; else the last real error, marked as not worth a retry."""
        # Nearly every call ends here: the rest is for those whose first attempt failed.
        target, record, began = call.targets[0], call.record, monotonic()
        record.provider, record.model = target.provider, target.model
        reply: Reply | None = None
        error: GatewayError | None
        try:
            reply = await next(call)
            error = reply.error
        except (UpstreamError, Unavailable) as fault:
            error = fault
        if reply is not None and error is None:
            record.attempts.append(Attempt(str(target), "ok", (monotonic() - began) * 1e3))
            return reply
        assert error is not None
        return await self._after(_Run(self, call, next, _Outcome(began, reply, error)))

    async def _after(self, run: "_Run") -> Reply:
        final: Reply | None = None
        try:
            final = await self._tried(run)
        finally:
            await run.let_go(final)
        return final

    async def _tried(self, run: "_Run") -> Reply:
        targets = run.call.targets
        for place, target in enumerate(targets):
            reply = await run.target(target, last=place == len(targets) - 1)
            if reply is not None:
                return reply
            if run.spent():
                break
        return run.failed()


class _Outcome(Struct):
    """How a call's first attempt failed."""

    began: float
    reply: Reply | None
    error: GatewayError


class _Run:
    """One call's attempts, the first of which has failed already."""

    def __init__(self, policy: Fallback, call: Call, next: Next, first: _Outcome) -> None:
        self._policy = policy
        self.call = call
        self._next = next
        self._first: _Outcome | None = first
        self._began = first.began
        self._made = 0
        self._over = False  # to wait for the next try would help nobody
        self._most = self._here = policy.attempts
        for target in call.targets:  # one may ask for more tries than the others get
            if target.retries is not None and target.retries >= self._most:
                self._most = target.retries + 1
        self._reply: Reply | None = None  # the last upstream error, body and all
        self._error: GatewayError | None = None  # the last fault without a body

    def spent(self) -> bool:
        """Whether no further attempt may start."""
        if self._first is not None:
            return False  # it was made already
        return self._over or self._made >= self._most or self._late(0.0)

    def _late(self, wait: float) -> bool:
        budget = self._policy.budget
        return budget > 0 and monotonic() - self._began + wait > budget

    async def target(self, target: Target, *, last: bool) -> Reply | None:
        """The target's answer, or None where the next one is due."""
        call = self.call.routed(target)
        call.record.provider, call.record.model = target.provider, target.model
        waits = 0
        most = self._policy.attempts if target.retries is None else target.retries + 1
        self._here = self._made + most
        while self._made < self._here and not self.spent():
            reply, error = await self._attempt(call)
            if error is None:
                return reply
            if isinstance(error, Resting):
                return None  # no key may be used now: nothing was sent
            again = _verdict(error)
            if again == "never":
                return self._final(reply, error)
            if again == "key":
                continue  # the provider rests that key and takes the next, or says Resting
            if again == "elsewhere" or not last:
                return None
            await self._pause(error, waits)
            waits += 1
        return None

    async def _attempt(self, call: Call) -> tuple[Reply | None, GatewayError | None]:
        began, reply, error = await self._outcome(call)
        if isinstance(error, Resting):
            if self._error is None and self._reply is None:
                self._error = error
            return None, error
        self._made += 1
        ms = (monotonic() - began) * 1e3
        outcome = "ok" if error is None else str(error.code or error.status)
        call.record.attempts.append(Attempt(str(call.target), outcome, ms))
        if error is not None:
            await self.let_go(reply)
            self._reply, self._error = reply, error
        return reply, error

    async def let_go(self, kept: Reply | None) -> None:
        """Closes the last upstream error, which may still arrive, unless it is the one kept."""
        if self._reply is not None and self._reply is not kept:
            await self._reply.aclose()

    async def _outcome(self, call: Call) -> tuple[float, Reply | None, GatewayError | None]:
        first, self._first = self._first, None
        if first is not None:
            return first.began, first.reply, first.error
        began = monotonic()
        try:
            reply = await self._next(call)
        except (UpstreamError, Unavailable) as fault:
            return began, None, fault
        return began, reply, reply.error

    async def _pause(self, error: GatewayError, waits: int) -> None:
        policy = self._policy
        if self._made >= self._here or self.spent():
            return
        wait = error.retry_after
        if wait is None:
            # Full jitter: many calls that failed together must not come back together.
            most = min(policy.wait * 2**waits, policy.longest_wait)
            wait = random.uniform(0, most)  # noqa: S311
        self._over = wait > policy.longest_wait or self._late(wait)  # the client is told when
        if not self._over:
            await asyncio.sleep(wait)

    def _final(self, reply: Reply | None, error: GatewayError) -> Reply:
        if reply is None:
            raise error
        return reply

    def failed(self) -> Reply:
        """The last real error: the SDKs' own retries would only multiply ours."""
        error = self._error
        if error is None:
            raise Unavailable("no attempt could be made within the budget of this call")
        if self._made > 1:
            error.should_retry = False
        return self._final(self._reply, error)


def _verdict(error: GatewayError) -> str:
    """What may help after this error: "key", "again", "elsewhere" or "never"."""
    if isinstance(error, UpstreamTimeout):
        return "elsewhere"
    status = error.upstream_status or error.status
    if status in KEY_BOUND:
        return "key"
    if error.should_retry is False:
        return "never"
    return "again" if status in PASSING else "never"
