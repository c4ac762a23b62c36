"""What a provider asks of the network: one request out, one answer in, one origin for each engine.

An engine adds `host`, `accept-encoding: identity` and the framing headers itself and refuses them
from anyone else. It never sends a request's bytes twice. Its faults are the UpstreamErrors, and
Unavailable where no connection came free in time.
"""

import re
from functools import lru_cache
from typing import Literal, NewType, Protocol
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from gateway.call import Headers
from gateway.config.schema import Timeouts
from gateway.errors import InvalidRequest, Unavailable
from gateway.reply import Source

HeaderBlock = NewType("HeaderBlock", bytes)
"""Checked header lines, each with its line end; made once for each provider by `block`."""

ERROR_LIMIT = 1024 * 1024
"""Bytes that are read of an upstream's error."""
MAX_HEAD_BYTES = 65_536
"""The most that the head of an answer may weigh."""
MAX_HEADER_COUNT = 100
"""The most headers that it may have."""

_ENGINE_HEADERS = frozenset(
    b"host content-length transfer-encoding connection keep-alive proxy-connection te trailer "
    b"upgrade expect accept-encoding proxy-authorization".split()
)
_match_header_name = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_match_header_value = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
_match_target = re.compile(rb"/[\x21-\x7e]*").fullmatch


class Request(Struct, frozen=True):
    """One request; `target` is a path with its query, below the path of the engine's base URL."""

    target: bytes
    body: bytes = b""
    header_block: HeaderBlock = HeaderBlock(b"")
    """The provider's own headers, its credential among them."""
    headers: Headers = []
    """What this one request adds."""
    method: bytes = b"POST"


class Response(Struct):
    """One answer; whoever got it closes its body."""

    status: int
    headers: Headers
    """Names in lower case; without the encoding and length of a body that was decoded."""
    body: Source
    connect: float = 0.0
    """Seconds the connection took to be made; 0 where one was reused."""
    queued: float = 0.0
    """Seconds waited for a place in the pool."""


class EngineStats(Struct, frozen=True):
    """Connections of one engine; `busy` counts those being made as well."""

    open: int
    idle: int
    busy: int


class Engine(Protocol):
    """The way to one origin."""

    async def send(self, request: Request, timeouts: Timeouts) -> Response:
        """The answer once its head is whole. UpstreamError, Unavailable, InvalidRequest.

        Cut with the code `stale`: a reused connection closed with no byte of an answer.
        """

    async def aclose(self) -> None:
        """Close every connection; what is under way fails."""

    def stats(self) -> EngineStats:
        """What is open now."""


class BaseUrl(Struct, frozen=True):
    """A base URL taken apart."""

    tls: bool
    host: str
    port: int
    path: bytes

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Host and port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_base_url(url: str) -> BaseUrl:
    """The parts of a base URL. ValueError, which does not repeat the URL."""
    parts = _split_url(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("a base URL begins with http:// or https://")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("a base URL has no user, no query and no fragment")
    path = parts.path.rstrip("/").encode("ascii", "strict") if parts.path.isascii() else b" "
    if not parts.hostname or (path and not _match_target(path)):
        raise ValueError("a base URL needs a host, and a path of printable ASCII")
    tls = parts.scheme == "https"
    return BaseUrl(tls, _encode_host(parts.hostname), parts.port or (443 if tls else 80), path)


def _split_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("a base URL needs a valid host and port") from None
    return parts


def _encode_host(name: str) -> str:
    try:
        host = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if not re.fullmatch(r"[0-9A-Za-z._:%\-]{1,253}", host):
        raise ValueError("a base URL needs a valid host")
    return host


def make_header_block(headers: Headers) -> HeaderBlock:
    """Header lines ready to send. InvalidRequest for a name or a value that cannot be sent."""
    return HeaderBlock(render_headers(headers))


def render_headers(headers: Headers) -> bytes:
    """Each header as its line. InvalidRequest, which names the header and not its value."""
    return b"".join([_render_header(name, value) for name, value in headers])


@lru_cache(maxsize=1024)
def _render_header(name: bytes, value: bytes) -> bytes:
    if not _match_header_name(name) or name.lower() in _ENGINE_HEADERS:
        raise InvalidRequest(f"header {name.decode('latin-1')!r} cannot be sent upstream")
    if not _match_header_value(value):
        raise InvalidRequest(f"the value of header {name.decode()!r} cannot be sent upstream")
    return b"%b: %b\r\n" % (name, value)


def parse_header_block(head: HeaderBlock) -> Headers:
    """The headers a block was made of."""
    found = [line.partition(b": ") for line in head.split(b"\r\n") if line]
    return [(name, value) for name, _, value in found]


@lru_cache(maxsize=1024)
def check_target(target: bytes) -> bytes:
    """A target that stays inside its request line. InvalidRequest."""
    if not _match_target(target):
        raise InvalidRequest("the upstream's path is not one")
    return target


def pool_timeout(origin: str, seconds: float) -> Unavailable:
    """The fault of a call for which no connection came free."""
    error = Unavailable(
        f"every connection to {origin} stayed busy for {seconds:g} s", code="pool_timeout"
    )
    error.should_retry, error.retry_after = True, 1.0
    return error


EngineKind = Literal["direct", "httpx2"]


class EngineOptions(Struct, frozen=True):
    """How an origin is reached."""

    kind: EngineKind = "direct"
    proxy: str | None = None
    http2: bool = False
    ca_file: str | None = None
    client_cert: str | None = None
    """A PEM file with the certificate and its key."""
    max_connections: int = 1000
    keepalive: float = 55.0
