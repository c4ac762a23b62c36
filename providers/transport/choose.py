"""Which engine serves an origin."""

from typing import Literal

from msgspec import Struct

from providers.transport.direct import Direct
from providers.transport.engine import Engine

Kind = Literal["direct", "httpx2"]


class Options(Struct, frozen=True):
    """How an origin is reached."""

    kind: Kind = "direct"
    proxy: str | None = None
    http2: bool = False
    ca_file: str | None = None
    client_cert: str | None = None
    """A PEM file with the certificate and its key."""
    max_connections: int = 1000
    keepalive: float = 55.0


_PLAIN = Options()


def engine(base_url: str, options: Options = _PLAIN) -> Engine:
    """An engine for an origin; it connects when it first sends. ValueError for what cannot be."""
    o = options
    if o.kind == "direct":
        if o.proxy or o.http2 or o.client_cert:
            raise ValueError('proxy, http2 and client_cert need the engine "httpx2"')
        return Direct(
            base_url,
            ca_file=o.ca_file,
            max_connections=o.max_connections,
            keepalive=o.keepalive,
        )
    from providers.transport.httpx_engine import HttpxEngine  # noqa: PLC0415 - 60 ms to import

    return HttpxEngine(base_url, o)
