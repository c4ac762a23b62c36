"""Which engine serves an origin."""

from providers.transport.direct import PooledEngine
from providers.transport.engine import Engine, EngineOptions

_DEFAULT_OPTIONS = EngineOptions()


def make_engine(base_url: str, options: EngineOptions = _DEFAULT_OPTIONS) -> Engine:
    """An engine for an origin; it connects when it first sends. ValueError for what cannot be."""
    o = options
    if o.kind == "direct":
        if o.proxy or o.http2 or o.client_cert:
            raise ValueError('proxy, http2 and client_cert need the engine "httpx2"')
        return PooledEngine(
            base_url,
            ca_file=o.ca_file,
            max_connections=o.max_connections,
            keepalive=o.keepalive,
        )
    from providers.transport.httpx_engine import HttpxEngine  # noqa: PLC0415 - 60 ms to import

    return HttpxEngine(base_url, o)
