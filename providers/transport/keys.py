"""An account's keys: which one the next call takes, and which ones rest."""

from time import monotonic

from gateway.errors import AllKeysCoolingDown, GatewayError
from gateway.secret import Secret

RATE_LIMIT_COOLDOWN = 5.0
"""Seconds a key rests after a 429 that does not say how long."""
REFUSED_COOLDOWN = 300.0
"""Seconds a key rests that was refused or has no money left."""
MAX_COOLDOWN = 3600.0
KEY_STATUSES = frozenset({401, 402, 403, 429})
"""Statuses that speak of the key and would be another's with another."""


class _KeyState:
    __slots__ = ("cooldown_until", "has_retry_after", "secret")

    def __init__(self, secret: Secret) -> None:
        self.secret = secret
        self.cooldown_until = 0.0
        self.has_retry_after = False  # the upstream itself said how long


class KeyRing:
    """Keys in rotation. A key that was refused or limited rests; the last one left still serves."""

    def __init__(self, secrets: list[Secret]) -> None:
        self._keys = [_KeyState(secret) for secret in secrets]
        self._next_index = 0
        self._last_error: GatewayError | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def list_key_hashes(self) -> list[str]:
        """The first eight digits of each key's SHA-256."""
        return [key.secret.digest().hex()[:8] for key in self._keys]

    def list_cooldowns(self) -> list[float]:
        """Seconds that each key which rests still has to."""
        now = monotonic()
        return [
            round(key.cooldown_until - now, 1) for key in self._keys if key.cooldown_until > now
        ]

    def is_refused(self) -> bool:
        """Whether every key rests, the last one because the upstream refused it."""
        why = self._last_error
        status = (why.upstream_status or why.status) if why is not None else 0
        return 0 < len(self._keys) == len(self.list_cooldowns()) and status in KEY_STATUSES - {429}

    def take_key(self, tried: list[Secret]) -> Secret:
        """The next key that may be used, best one not tried in this call. Raises Resting."""
        now = monotonic()
        count = len(self._keys)
        for again in (False, True) if tried else (True,):
            for step in range(count):
                key = self._keys[(self._next_index + step) % count]
                if key.cooldown_until <= now and (again or key.secret not in tried):
                    self._next_index = (self._next_index + step + 1) % count
                    return key.secret
        soonest = min(self._keys, key=lambda key: key.cooldown_until)
        if not tried and not soonest.has_retry_after:
            return soonest.secret  # nobody said for how long: better to ask than to refuse
        raise self._make_cooldown_error(
            max(0.0, soonest.cooldown_until - now), named=soonest.has_retry_after
        )

    def record_key_error(self, secret: Secret, error: GatewayError) -> None:
        """Put the key to rest where the error is about it."""
        status = error.upstream_status or error.status
        if status == 429 and error.should_retry is not False:
            named = error.retry_after is not None
            self._cool_down(
                secret, error.retry_after or RATE_LIMIT_COOLDOWN, named=named, why=error
            )
        elif status in KEY_STATUSES:
            self._cool_down(secret, REFUSED_COOLDOWN, named=False, why=error)

    def _cool_down(self, secret: Secret, seconds: float, *, named: bool, why: GatewayError) -> None:
        self._last_error = why
        for key in self._keys:
            if key.secret == secret:
                until = monotonic() + min(seconds, MAX_COOLDOWN)
                if until > key.cooldown_until:
                    key.cooldown_until, key.has_retry_after = until, named

    def _make_cooldown_error(self, seconds: float, *, named: bool) -> AllKeysCoolingDown:
        what = (
            "the provider's key rests" if len(self._keys) == 1 else "all the provider's keys rest"
        )
        why = f" after: {self._last_error.message}" if self._last_error is not None else ""
        fault = AllKeysCoolingDown(f"{what}{why}")
        if named:
            fault.retry_after = seconds
        return fault
