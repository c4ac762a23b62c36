"""Who calls, and with what credential for the upstream."""

from collections.abc import Awaitable
from time import monotonic

from gateway.call import Call
from gateway.edge.callers import Callers
from gateway.plugin import Middleware, Next, Runtime
from gateway.reply import Reply


class Auth(Middleware):
    """Checks the client's key against [auth] keys; without any, every caller is "anonymous".

    The gateway's own key may come in `x-gateway-key` too; another credential beside it is the
    client's own for the upstream. The gateway's key itself never goes upstream.
    """

    def bind(self, runtime: Runtime) -> None:
        """Takes the configured keys."""
        self._callers = Callers(runtime.config.auth.keys)

    def __call__(self, call: Call, next: Next) -> Awaitable[Reply]:
        """Passes the call on with its caller. Raises Unauthenticated."""
        caller = self._callers.caller(call.headers)
        record = call.record
        record.caller = caller.name
        record.auth_done = monotonic()
        return next(call.with_caller(caller))
