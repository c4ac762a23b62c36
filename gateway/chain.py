"""The chain: one function made of functions."""

from collections.abc import Sequence

from gateway.call import Call
from gateway.plugin import Middleware, Next
from gateway.reply import Reply


def chain(middlewares: Sequence[Middleware], last: Next) -> Next:
    """The links in order, the last answering what no other did."""
    rest = last
    for link in reversed(middlewares):
        rest = _linked(link, rest)
    return rest


def _linked(link: Middleware, rest: Next) -> Next:
    async def answer(call: Call) -> Reply:
        return await link(call, rest)

    return answer
