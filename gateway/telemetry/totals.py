"""What the calls of this process came to, per provider and model, and the errors among them.

`book` runs once in every call, so it only adds up; whatever needs thought is done by who reads.
"""

from bisect import bisect_left
from collections import deque
from time import monotonic, time

from msgspec import Struct, field

from gateway.call import Attempt, Record

MODELS = 1000
"""Pairs of provider and model that are told apart: a client can make up more."""
OTHER = "other"
BOUNDS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
"""Seconds, inclusive, up to which the parts of a histogram go; one more part holds what is above.
They are those of OpenTelemetry's conventions for generative AI."""
_KINDS = 50
"""Ends that a tally tells apart: an upstream may have any status."""
_NAME_LIMIT = 200
_ERRORS = 200
_THE_CLIENTS = frozenset({400, 401, 404, 405, 408, 413, 422})
"""Statuses that speak of the request, and say nothing of the provider."""


def _parts() -> list[int]:
    return [0] * (len(BOUNDS) + 1)


class Counters(Struct):
    """Sums over the calls of one provider and model; times are of the wall clock, in seconds."""

    calls: int = 0
    errors: int = 0
    streams: int = 0
    aborted: int = 0
    """Calls whose client left before the end."""
    retries: int = 0
    """Tries after the first, of calls that ended here."""
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
    first_token_seconds: float = 0.0
    """Of streams alone."""
    durations: list[int] = field(default_factory=_parts)
    """Calls by their seconds: each part of BOUNDS by itself."""
    first_tokens: list[int] = field(default_factory=_parts)
    """Streams likewise, by the seconds to the first byte of the upstream's answer."""
    ends: dict[str, int] = {}
    """Calls but those that came whole with a 200, by end and status: "rejected 404"."""
    cached: dict[str, int] = {}
    """Calls that met a prompt cache, by what `x-cache-status` said."""

    def add(self, other: "Counters") -> None:
        """Adds another's calls."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _PARTED:
            pairs = zip(getattr(self, name), getattr(other, name), strict=True)
            setattr(self, name, [ours + theirs for ours, theirs in pairs])
        for name in _COUNTED:
            counts = getattr(self, name)
            for kind, count in getattr(other, name).items():
                counts[kind] = counts.get(kind, 0) + count
        self.last_success = max(self.last_success, other.last_success)
        if other.last_failure > self.last_failure:
            self.last_failure, self.last_error = other.last_failure, other.last_error


_PARTED = ("durations", "first_tokens")
_COUNTED = ("ends", "cached")
_SUMS = tuple(
    name
    for name in Counters.__struct_fields__
    if not name.startswith("last_") and name not in (*_PARTED, *_COUNTED)
)


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
        self.tallies: dict[tuple[str, str], Counters] = {}
        """By provider and model as they were routed; ("", "") holds calls that went nowhere."""
        self.failures: deque[Failure] = deque(maxlen=_ERRORS)

    def record_call(
        self, id: str, dialect: str, record: Record, status: int, *, streamed: bool
    ) -> None:
        """Adds one call that has ended, however it did."""
        tally = self.tallies.get((record.provider, record.model))
        if tally is None:
            tally = self._tally(record.provider, record.model)
        tally.calls += 1
        seconds = monotonic() - record.started
        tally.seconds += seconds
        tally.durations[bisect_left(BOUNDS, seconds)] += 1
        if streamed:
            tally.streams += 1
        first_byte = record.first_byte
        if first_byte:
            tally.answered += 1
            tally.first_byte_seconds += first_byte
            if streamed and status == 200:
                tally.first_token_seconds += first_byte
                tally.first_tokens[bisect_left(BOUNDS, first_byte)] += 1
        usage = record.usage
        if usage is not None:
            tally.input_tokens += usage.input
            tally.output_tokens += usage.output
            tally.cache_read_tokens += usage.cache_read
            tally.cache_write_tokens += usage.cache_write
        if record.cache:
            tally.cached[record.cache] = tally.cached.get(record.cache, 0) + 1
        end = record.end
        if end == "complete":
            tally.last_success = time()
            if usage is None:
                tally.unmetered += 1
        elif end == "client_gone":
            tally.aborted += 1
        else:
            self._failed(tally, id, dialect, record, status)
        if status != 200 or end != "complete":
            _note(tally.ends, f"{end} {status}")
        if len(record.attempts) > 1:
            tally.retries += len(record.attempts) - 1
            self._other_targets(record)

    def _tally(self, provider: str, model: str) -> Counters:
        if len(self.tallies) >= MODELS or len(model) > _NAME_LIMIT:
            provider, model = provider[:_NAME_LIMIT], OTHER
        return self.tallies.setdefault((provider, model), Counters())

    def _failed(self, tally: Counters, id: str, dialect: str, record: Record, status: int) -> None:
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


def _note(ends: dict[str, int], kind: str) -> None:
    if kind not in ends and len(ends) >= _KINDS:
        kind = f"{kind.partition(' ')[0]} {OTHER}"
    ends[kind] = ends.get(kind, 0) + 1
