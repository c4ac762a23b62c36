"""Who calls, and with what credential for the upstream."""

import hmac
from time import monotonic

from gateway.call import Call, Caller, Headers
from gateway.errors import Unauthenticated
from gateway.plugin import Middleware, Next, Site
from gateway.reply import Reply
from gateway.secret import Secret

CREDENTIAL_HEADERS = (b"x-api-key", b"authorization", b"api-key", b"x-goog-api-key")
"""Where clients put a key, the header that wins first: the Messages API reads x-api-key first."""
INVALID = "Invalid API key. Please provide a valid Anthropic API key."


class Auth(Middleware):
    """Checks the client's key against [auth] keys; without any, every caller is "anonymous".

    The gateway's own key may come in `x-gateway-key` too; another credential beside it is the
    client's own for the upstream. The gateway's key itself never goes upstream.
    """

    def bind(self, site: Site) -> None:
        """Takes the digests of the configured keys."""
        self._keys = [
            (key.key.digest(), key.name or f"client{place}")
            for place, key in enumerate(site.config.auth.keys, 1)
        ]

    async def __call__(self, call: Call, next: Next) -> Reply:
        """Passes the call on with its caller. Raises Unauthenticated."""
        caller = self._caller(call.headers)
        record = call.record
        record.caller = caller.name
        record.auth_done = monotonic()
        return await next(call.with_caller(caller))

    def _caller(self, headers: Headers) -> Caller:
        shown = _credentials(headers)
        if not self._keys:
            own = next((secret for name, secret in shown if name != b"x-gateway-key"), None)
            return Caller("anonymous", own)
        name: str | None = None
        own = None
        for _, secret in shown:
            known = self._known(secret)
            if known is None:
                own = own or secret
            else:
                name = name or known
        if name is None:
            raise Unauthenticated(INVALID)
        return Caller(name, own)

    def _known(self, secret: Secret) -> str | None:
        # Every key is compared, in constant time: how long it takes tells nothing of any.
        digest = secret.digest()
        found = None
        for known, name in self._keys:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _credentials(headers: Headers) -> list[tuple[bytes, Secret]]:
    """The credentials shown, the one that wins first."""
    by_name: dict[bytes, Secret] = {}
    for name, value in headers:
        if name in _PLACES and name not in by_name:
            text = value.decode("latin-1").strip()
            if name == b"authorization":
                scheme, _, text = text.partition(" ")
                text = text.strip() if scheme.lower() == "bearer" else ""
            if text:
                by_name[name] = Secret(text)
    return [(name, by_name[name]) for name in _PLACES if name in by_name]


_PLACES = (b"x-gateway-key", *CREDENTIAL_HEADERS)
