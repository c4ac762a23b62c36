"""The chain: one function made of functions."""

from collections.abc import Sequence
from functools import partial

from gateway.plugin import Middleware, Next


def chain(middlewares: Sequence[Middleware], last: Next) -> Next:
    """The links in order, the last answering what no other did."""
    rest = last
    for link in reversed(middlewares):
        rest = partial(link.__call__, next=rest)
    return rest
