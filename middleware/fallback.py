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
from gateway.errors import (
    AllKeysCoolingDown,
    GatewayError,
    Unavailable,
    UpstreamError,
    UpstreamTimeout,
)
from gateway.plugin import Middleware, Next
from gateway.reply import Reply

KEY_ERROR_STATUSES = frozenset({401, 402, 403, 429})
TRANSIENT_STATUSES = frozenset({408, 409, 500, 502, 503, 504, 529})


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
        return await self._retry_call(
            _CallAttempts(self, call, next, _Outcome(began, reply, error))
        )

    async def _retry_call(self, run: "_CallAttempts") -> Reply:
        final: Reply | None = None
        try:
            final = await self._try_targets(run)
        finally:
            await run.close_last_reply(final)
        return final

    async def _try_targets(self, run: "_CallAttempts") -> Reply:
        targets = run.call.targets
        for place, target in enumerate(targets):
            reply = await run.try_target(target, last=place == len(targets) - 1)
            if reply is not None:
                return reply
            if run.is_exhausted():
                break
        return run.return_last_error()


class _Outcome(Struct):
    """How a call's first attempt failed."""

    began: float
    reply: Reply | None
    error: GatewayError


class _CallAttempts:
    """One call's attempts, the first of which has failed already."""

    def __init__(self, policy: Fallback, call: Call, next: Next, first: _Outcome) -> None:
        self._policy = policy
        self.call = call
        self._next = next
        self._first_outcome: _Outcome | None = first
        self._started = first.began
        self._attempt_count = 0
        self._gave_up = False  # to wait for the next try would help nobody
        self._max_attempts = self._target_limit = policy.attempts
        for target in call.targets:  # one may ask for more tries than the others get
            if target.retries is not None and target.retries >= self._max_attempts:
                self._max_attempts = target.retries + 1
        self._last_reply: Reply | None = None  # the last upstream error, body and all
        self._last_error: GatewayError | None = None  # the last fault without a body

    def is_exhausted(self) -> bool:
        """Whether no further attempt may start."""
        if self._first_outcome is not None:
            return False  # it was made already
        return (
            self._gave_up or self._attempt_count >= self._max_attempts or self._is_over_budget(0.0)
        )

    def _is_over_budget(self, wait: float) -> bool:
        budget = self._policy.budget
        return budget > 0 and monotonic() - self._started + wait > budget

    async def try_target(self, target: Target, *, last: bool) -> Reply | None:
        """The target's answer, or None where the next one is due."""
        call = self.call.routed(target)
        call.record.provider, call.record.model = target.provider, target.model
        waits = 0
        most = self._policy.attempts if target.retries is None else target.retries + 1
        self._target_limit = self._attempt_count + most
        while self._attempt_count < self._target_limit and not self.is_exhausted():
            reply, error = await self._record_attempt(call)
            if error is None:
                return reply
            if isinstance(error, AllKeysCoolingDown):
                return None  # no key may be used now: nothing was sent
            again = _classify_error(error)
            if again == "never":
                return self._return_or_raise(reply, error)
            if again == "key":
                continue  # the provider rests that key and takes the next, or says Resting
            if again == "elsewhere" or not last:
                return None
            await self._wait_before_retry(error, waits)
            waits += 1
        return None

    async def _record_attempt(self, call: Call) -> tuple[Reply | None, GatewayError | None]:
        began, reply, error = await self._run_attempt(call)
        if isinstance(error, AllKeysCoolingDown):
            if self._last_error is None and self._last_reply is None:
                self._last_error = error
            return None, error
        self._attempt_count += 1
        ms = (monotonic() - began) * 1e3
        outcome = "ok" if error is None else str(error.code or error.status)
        call.record.attempts.append(Attempt(str(call.target), outcome, ms))
        if error is not None:
            await self.close_last_reply(reply)
            self._last_reply, self._last_error = reply, error
        return reply, error

    async def close_last_reply(self, kept: Reply | None) -> None:
        """Closes the last upstream error, which may still arrive, unless it is the one kept."""
        if self._last_reply is not None and self._last_reply is not kept:
            await self._last_reply.aclose()

    async def _run_attempt(self, call: Call) -> tuple[float, Reply | None, GatewayError | None]:
        first, self._first_outcome = self._first_outcome, None
        if first is not None:
            return first.began, first.reply, first.error
        began = monotonic()
        try:
            reply = await self._next(call)
        except (UpstreamError, Unavailable) as fault:
            return began, None, fault
        return began, reply, reply.error

    async def _wait_before_retry(self, error: GatewayError, waits: int) -> None:
        policy = self._policy
        if self._attempt_count >= self._target_limit or self.is_exhausted():
            return
        wait = error.retry_after
        if wait is None:
            # Full jitter: many calls that failed together must not come back together.
            most = min(policy.wait * 2**waits, policy.longest_wait)
            wait = random.uniform(0, most)  # noqa: S311
        self._gave_up = wait > policy.longest_wait or self._is_over_budget(
            wait
        )  # the client is told when
        if not self._gave_up:
            await asyncio.sleep(wait)

    def _return_or_raise(self, reply: Reply | None, error: GatewayError) -> Reply:
        if reply is None:
            raise error
        return reply

    def return_last_error(self) -> Reply:
        """The last real error: the SDKs' own retries would only multiply ours."""
        error = self._last_error
        if error is None:
            raise Unavailable("no attempt could be made within the budget of this call")
        if self._attempt_count > 1:
            error.should_retry = False
        return self._return_or_raise(self._last_reply, error)


def _classify_error(error: GatewayError) -> str:
    """What may help after this error: "key", "again", "elsewhere" or "never"."""
    if isinstance(error, UpstreamTimeout):
        return "elsewhere"
    status = error.upstream_status or error.status
    if status in KEY_ERROR_STATUSES:
        return "key"
    if error.should_retry is False:
        return "never"
    return "again" if status in TRANSIENT_STATUSES else "never"
