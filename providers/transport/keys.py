"""An account's keys: which one the next call takes, and which ones rest."""

from time import monotonic

from gateway.errors import AllKeysCoolingDown, GatewayError
from gateway.secret import Secret

RATE_REST = 5.0
"""Seconds a key rests after a 429 that does not say how long."""
LONG_REST = 300.0
"""Seconds a key rests that was refused or has no money left."""
LONGEST = 3600.0
KEY_BOUND = frozenset({401, 402, 403, 429})
"""Statuses that speak of the key and would be another's with another."""


class _Key:
    __slots__ = ("named", "rests_until", "secret")

    def __init__(self, secret: Secret) -> None:
        self.secret = secret
        self.rests_until = 0.0
        self.named = False  # the upstream itself said how long


class KeyRing:
    """Keys in rotation. A key that was refused or limited rests; the last one left still serves."""

    def __init__(self, secrets: list[Secret]) -> None:
        self._keys = [_Key(secret) for secret in secrets]
        self._next = 0
        self._why: GatewayError | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def hashes(self) -> list[str]:
        """The first eight digits of each key's SHA-256."""
        return [key.secret.digest().hex()[:8] for key in self._keys]

    def resting(self) -> list[float]:
        """Seconds that each key which rests still has to."""
        now = monotonic()
        return [round(key.rests_until - now, 1) for key in self._keys if key.rests_until > now]

    def refused(self) -> bool:
        """Whether every key rests, the last one because the upstream refused it."""
        why = self._why
        status = (why.upstream_status or why.status) if why is not None else 0
        return 0 < len(self._keys) == len(self.resting()) and status in KEY_BOUND - {429}

    def take(self, tried: list[Secret]) -> Secret:
        """The next key that may be used, best one not tried in this call. Raises Resting."""
        now = monotonic()
        count = len(self._keys)
        for again in (False, True) if tried else (True,):
            for step in range(count):
                key = self._keys[(self._next + step) % count]
                if key.rests_until <= now and (again or key.secret not in tried):
                    self._next = (self._next + step + 1) % count
                    return key.secret
        soonest = min(self._keys, key=lambda key: key.rests_until)
        if not tried and not soonest.named:
            return soonest.secret  # nobody said for how long: better to ask than to refuse
        raise self._resting(max(0.0, soonest.rests_until - now), named=soonest.named)

    def judge(self, secret: Secret, error: GatewayError) -> None:
        """Put the key to rest where the error is about it."""
        status = error.upstream_status or error.status
        if status == 429 and error.should_retry is not False:
            named = error.retry_after is not None
            self._rest(secret, error.retry_after or RATE_REST, named=named, why=error)
        elif status in KEY_BOUND:
            self._rest(secret, LONG_REST, named=False, why=error)

    def _rest(self, secret: Secret, seconds: float, *, named: bool, why: GatewayError) -> None:
        self._why = why
        for key in self._keys:
            if key.secret == secret:
                until = monotonic() + min(seconds, LONGEST)
                if until > key.rests_until:
                    key.rests_until, key.named = until, named

    def _resting(self, seconds: float, *, named: bool) -> AllKeysCoolingDown:
        what = (
            "the provider's key rests" if len(self._keys) == 1 else "all the provider's keys rest"
        )
        why = f" after: {self._why.message}" if self._why is not None else ""
        fault = AllKeysCoolingDown(f"{what}{why}")
        if named:
            fault.retry_after = seconds
        return fault
