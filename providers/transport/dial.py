"""A new connection: a host's addresses in turn, the next one while the last is still silent."""

import asyncio
import socket
import ssl
from asyncio.staggered import staggered_race
from collections.abc import Callable
from functools import partial
from itertools import chain, zip_longest

from gateway.errors import Unreachable
from providers.transport.connection import Connection
from providers.transport.engine import BaseUrl

_ATTEMPT_DELAY = 0.25  # RFC 8305's delay between two attempts


async def open_connection(
    base: BaseUrl, tls: ssl.SSLContext | None, make: Callable[[], Connection]
) -> Connection:
    """An open connection. Unreachable, which names host and port, nothing else of the URL."""
    made: list[Connection] = []

    def factory() -> Connection:
        made.append(make())
        return made[-1]

    winner = None
    try:
        winner = await _race_addresses(base, tls, factory)
    except ssl.SSLError as exc:
        why = getattr(exc, "verify_message", "") or exc.reason or "no handshake"
        raise Unreachable(f"TLS with {base.origin} failed: {why}") from None
    except OSError as exc:
        why = exc.strerror or "every address failed"
        raise Unreachable(f"cannot connect to {base.origin}: {why}") from None
    finally:
        for connection in made:
            if connection is not winner:
                connection.abort()
    return winner


async def _race_addresses(
    base: BaseUrl, tls: ssl.SSLContext | None, factory: Callable[[], Connection]
) -> Connection:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(base.host, base.port, type=socket.SOCK_STREAM)
    attempts = [
        partial(_connect_address, address, base, tls, factory)
        for address in _interleave_families(list(dict.fromkeys(str(info[4][0]) for info in found)))
    ]
    if len(attempts) == 1:
        return await attempts[0]()
    winner: Connection | None
    winner, _, errors = await staggered_race(attempts, _ATTEMPT_DELAY)
    if winner is None:
        raise next((error for error in errors if isinstance(error, OSError)), OSError())
    return winner


async def _connect_address(
    address: str, base: BaseUrl, tls: ssl.SSLContext | None, factory: Callable[[], Connection]
) -> Connection:
    loop = asyncio.get_running_loop()
    name = base.host if tls else None
    connection: Connection
    _, connection = await loop.create_connection(
        factory, address, base.port, ssl=tls, server_hostname=name
    )
    return connection


def _interleave_families(addresses: list[str]) -> list[str]:
    """The families by turns, the resolver's first choice first."""
    six = [a for a in addresses if ":" in a]
    four = [a for a in addresses if ":" not in a]
    first, second = (six, four) if addresses and ":" in addresses[0] else (four, six)
    return [a for a in chain.from_iterable(zip_longest(first, second)) if a]
