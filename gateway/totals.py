"""What the calls of this process came to, per provider and model, and the errors among them.

`book` runs once in every call, so it only adds up; whatever needs thought is done by who reads.
"""

from collections import deque
from time import monotonic, time

from msgspec import Struct

from gateway.call import Attempt, Record

MODELS = 1000
"""Pairs of provider and model that are told apart: a client can make up more."""
OTHER = "other"
_NAME_LIMIT = 200
_ERRORS = 200
_THE_CLIENTS = frozenset({400, 401, 404, 405, 408, 413, 422})
"""Statuses that speak of the request, and say nothing of the provider."""


class Tally(Struct):
    """Sums over the calls of one provider and model; times are of the wall clock, in seconds."""

    calls: int = 0
    errors: int = 0
    streams: int = 0
    aborted: int = 0
    """Calls whose client left before the end."""
    unmetered: int = 0
    """Calls that ended well and whose upstream told no usage."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    seconds: float = 0.0
    answered: int = 0
    """Calls that an upstream answered, to divide `first_byte_seconds` by."""
    first_byte_seconds: float = 0.0
    last_success: float = 0.0
    last_failure: float = 0.0
    last_error: str = ""

    def add(self, other: "Tally") -> None:
        """Adds another's calls."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last_success = max(self.last_success, other.last_success)
        if other.last_failure > self.last_failure:
            self.last_failure, self.last_error = other.last_failure, other.last_error


_SUMS = tuple(name for name in Tally.__struct_fields__ if not name.startswith("last_"))


class Failure(Struct, frozen=True):
    """One call that ended in an error: no prompt, no answer, no key."""

    at: float
    id: str
    dialect: str
    caller: str
    provider: str
    model: str
    status: int
    end: str
    error: str
    attempts: list[Attempt]
    ms: float


class Totals:
    """The tallies of one gateway, and its last errors."""

    def __init__(self) -> None:
        self.since = time()
        self.tallies: dict[tuple[str, str], Tally] = {}
        """By provider and model as they were routed; ("", "") holds calls that went nowhere."""
        self.failures: deque[Failure] = deque(maxlen=_ERRORS)

    def book(self, id: str, dialect: str, record: Record, status: int, *, streamed: bool) -> None:
        """Adds one call that has ended, however it did."""
        tally = self.tallies.get((record.provider, record.model))
        if tally is None:
            tally = self._tally(record.provider, record.model)
        tally.calls += 1
        tally.seconds += monotonic() - record.started
        if streamed:
            tally.streams += 1
        if record.first_byte:
            tally.answered += 1
            tally.first_byte_seconds += record.first_byte
        usage = record.usage
        if usage is not None:
            tally.input_tokens += usage.input
            tally.output_tokens += usage.output
            tally.cache_read_tokens += usage.cache_read
            tally.cache_write_tokens += usage.cache_write
        if record.end == "complete":
            tally.last_success = time()
            if usage is None:
                tally.unmetered += 1
        elif record.end == "client_gone":
            tally.aborted += 1
        else:
            self._failed(tally, id, dialect, record, status)
        if len(record.attempts) > 1:
            self._other_targets(record)

    def of_provider(self, provider: str) -> Tally:
        """The sum over a provider's models."""
        total = Tally()
        for (name, _), tally in self.tallies.items():
            if name == provider:
                total.add(tally)
        return total

    def _tally(self, provider: str, model: str) -> Tally:
        if len(self.tallies) >= MODELS or len(model) > _NAME_LIMIT:
            provider, model = provider[:_NAME_LIMIT], OTHER
        return self.tallies.setdefault((provider, model), Tally())

    def _failed(self, tally: Tally, id: str, dialect: str, record: Record, status: int) -> None:
        tally.errors += 1
        now = time()
        if record.end in ("upstream_error", "rejected") and status not in _THE_CLIENTS:
            tally.last_failure, tally.last_error = now, record.error[:_NAME_LIMIT]
        failure = Failure(
            now, id, dialect, record.caller, record.provider, record.model[:_NAME_LIMIT], status,
            record.end, record.error[:500], list(record.attempts),
            round((monotonic() - record.started) * 1e3, 2),
        )  # fmt: skip
        self.failures.append(failure)

    def _other_targets(self, record: Record) -> None:
        """The providers that were tried before the one that the call ended at."""
        for attempt in record.attempts[:-1]:
            provider, _, model = attempt.target.partition(":")
            if (provider, model) == (record.provider, record.model):
                continue  # its own error is told in full
            tally = self.tallies.get((provider, model)) or self._tally(provider, model)
            tally.last_failure, tally.last_error = time(), attempt.outcome
