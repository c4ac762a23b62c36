"""Which client shows which key: one check for calls and for every other endpoint."""

import hmac
from collections.abc import Iterable, Sequence

from gateway.call import Caller, Headers
from gateway.config.schema import Key
from gateway.errors import Unauthenticated
from gateway.secret import Secret

CREDENTIAL_HEADERS = (b"x-api-key", b"authorization", b"api-key", b"x-goog-api-key")
"""Where clients put a key, the header that wins first: the Messages API reads x-api-key first."""
INVALID = "Invalid API key. Please provide a valid Anthropic API key."
_OWN_HEADER = b"x-gateway-key"
PLACES = (_OWN_HEADER, *CREDENTIAL_HEADERS)
"""All headers in which a key may come."""
_NAMES = frozenset(PLACES)
_REMEMBERED = 1000


class Callers:
    """The keys of [auth] and whose they are; without any, every caller is "anonymous"."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = [
            (key.key.digest(), key.name or f"client{place}") for place, key in enumerate(keys, 1)
        ]
        self._known: dict[tuple[tuple[bytes, bytes], ...], Caller] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def caller(self, headers: Headers) -> Caller:
        """Who shows these headers, with the credential it brought for upstream. Unauthenticated."""
        given = tuple([header for header in headers if header[0] in _NAMES])
        return self._known.get(given) or self._caller(given)

    def _caller(self, given: tuple[tuple[bytes, bytes], ...]) -> Caller:
        shown = _credentials(given)
        if not self._keys:
            own = next((secret for name, secret in shown if name != _OWN_HEADER), None)
            return Caller("anonymous", own)
        name: str | None = None
        own = None
        for _, secret in shown:
            known = self._whose(secret)
            if known is None:
                own = own or secret
            else:
                name = name or known
        if name is None:
            raise Unauthenticated(INVALID)
        caller = Caller(name, own)
        if own is None:
            # Only accepted keys are cached, under a hash that no client can predict, so that timing
            # reveals nothing about keys. SHA-256 costs more than everything else here.
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[given] = caller
        return caller

    def _whose(self, secret: Secret) -> str | None:
        # Compare with every key, in constant time: timing reveals nothing about keys.
        digest = secret.digest()
        found = None
        for known, name in self._keys:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _credentials(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, Secret]]:
    """The credentials shown, the one that wins first."""
    by_name: dict[bytes, Secret] = {}
    for name, value in headers:
        if name not in by_name:
            text = value.decode("latin-1").strip()
            if name == b"authorization":
                scheme, _, text = text.partition(" ")
                text = text.strip() if scheme.lower() == "bearer" else ""
            if text:
                by_name[name] = Secret(text)
    return [(name, by_name[name]) for name in PLACES if name in by_name]
