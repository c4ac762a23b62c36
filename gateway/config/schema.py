"""The options of config.toml: each field is a key, its default what holds without it."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.config.size import Size
from gateway.secret import Secret

Seconds = Annotated[float, Meta(ge=0)]
"""A time in seconds."""

Retries = Annotated[int, Meta(ge=0, le=20)]
"""Tries after the first."""

Table = dict[str, Any]
"""A table as TOML gives it, to be checked against the class that reads it."""


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[server]: where the gateway listens and what it takes from a client."""

    host: str = "127.0.0.1"
    """Address to listen on; one that is not loopback needs [auth] keys."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8082
    """TCP port, 1 to 65535; 0 takes a free one."""
    workers: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Processes that serve; 0: one for each core that may be used."""
    body_limit: Size = Size("64MiB")
    """Largest body of a request, bytes or a text such as "64MiB"."""
    body_timeout: Seconds = 30.0
    """Seconds without a byte of a request's body before it is refused."""
    header_timeout: Seconds = 10.0
    """Seconds a client has for the whole head of its request."""
    max_headers: Annotated[int, Meta(ge=1)] = 100
    """Most header fields of a request."""
    max_header_bytes: Size = Size("32KiB")
    """Most bytes of a request's head."""
    ping: Seconds = 15.0
    """Seconds of silence in a stream before the client gets a ping; 0 sends none."""
    drain: Seconds = 30.0
    """Seconds that calls in flight have to end once the gateway is told to stop."""
    fast_path: bool = True
    """Serve most calls without ASGI in between; false: every request goes through ASGI."""
    strict: bool = False
    """Refuse a request that would lose something in conversion, instead of warning of the loss."""
    seal_key: Secret | None = None
    """Secret that seals reasoning carried by clients; without one, each start makes its own."""
    cors_origins: list[str] = []
    """Web origins that may call from a browser, exact; "*" is any."""
    discover: bool = True
    """Take providers from variables such as OPENAI_API_KEY too; the file wins name by name."""
    vandamme_config: str = ""
    """File of vandamme-proxy; empty: those in ./ and ~/.config/vandamme-proxy/, if `discover`."""
    insecure_no_auth: bool = False
    """Listen on a public address although no client has to show a key."""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[log]: what is written, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity written."""
    format: Literal["auto", "json", "console"] = "auto"
    """"auto" is "console" on a terminal, else "json"."""


class Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of [auth] keys: a client's key and the name its calls are logged under."""

    key: Secret
    """The key itself: "env:NAME", "file:/path" or "${NAME}"."""
    name: str = ""
    """Name of the caller; without one, "client" and its place in the list."""


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[auth]: who may call."""

    keys: list[Key] = []
    """Keys that clients may show; empty: none is asked for."""


class Timeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[timeouts]: how long an upstream may take, in seconds; 0 is no limit."""

    connect: Seconds = 5.0
    """Seconds to connect, TLS included."""
    pool: Seconds = 5.0
    """Seconds to wait for a free connection."""
    first_byte: Seconds = 300.0
    """Seconds from the request sent to the first byte of the answer."""
    idle: Seconds = 120.0
    """Seconds between two chunks of an answer."""
    total: Seconds = 0.0
    """Seconds for the whole call; 0 is no limit."""


class Routing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[routing]: where a model goes whose name says nothing of a provider."""

    default_provider: str = ""
    """Name of a provider; empty: VDM_DEFAULT_PROVIDER, else "openai", else the first there is."""
    default_profile: str = ""
    """Name of a profile whose aliases and timeout models without any prefix have."""


class Catalogue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[catalogue]: the lists of models, and what is kept of them."""

    folder: str = ""
    """Where upstreams' lists are kept; empty: $STATE_DIRECTORY, else the user's cache folder."""
    ttl: Seconds = 3600.0
    """Seconds that a list holds before its upstream is asked again."""
    timeout: Seconds = 2.5
    """Seconds that a client waits for the upstreams' lists; late ones serve the next request."""
    top_models: Literal["manual", "openrouter", "disabled"] = "manual"
    """Where /top-models has its list from: "manual" ships with the gateway."""


class Batches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[batch]: the Message Batches API, and the Files and Batches APIs of OpenAI, on disk."""

    engine: Secret = Secret("off")
    """Where batches are kept: "off", "embedded" (SQLite), or a URL "postgres://user@host/name"."""
    folder: str = ""
    """Where the embedded engine keeps its files; empty: $STATE_DIRECTORY, else the user's own."""
    node: str = ""
    """Name of this gateway among those that share a Postgres; empty: that of the host."""
    concurrency: Annotated[int, Meta(ge=1)] = 32
    """Most items in flight at a time, of all batches together."""
    busy: Annotated[int, Meta(ge=0)] = 16
    """Other calls in flight beyond which each takes a place from the batches, down to one."""
    poll: Annotated[float, Meta(gt=0)] = 1.0
    """Seconds between two looks for batches to be started."""
    chunk: Annotated[int, Meta(ge=1, le=1000)] = 50
    """Items of one batch that are taken up together."""
    max_items: Annotated[int, Meta(ge=1)] = 100_000
    """Most requests of one batch."""
    max_file: Size = Size("200MiB")
    """Largest file that can be uploaded, bytes or a text such as "200MiB"."""
    window: Annotated[float, Meta(gt=0)] = 86400.0
    """Seconds that a batch has; what is not answered by then has expired."""
    retention: Annotated[float, Meta(gt=0)] = 2592000.0
    """Seconds for which results and files are kept."""


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[profiles.NAME]: what the models of "NAME:model" are called, and how long they may take."""

    aliases: dict[str, list[str]] = {}
    """Names for models, as in [aliases], for calls made through this profile."""
    timeout: Seconds | None = None
    """Seconds, in place of the timeouts first_byte and idle of the provider; 0 is no limit."""
    max_retries: Retries | None = None
    """Most tries at one target after the first, in place of the provider's."""


class Tables(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tables of config.toml."""

    server: Server = Server()
    log: Log = Log()
    auth: Auth = Auth()
    timeouts: Timeouts = Timeouts()
    routing: Routing = Routing()
    catalogue: Catalogue = Catalogue()
    batch: Batches = Batches()
    aliases: dict[str, list[str]] = {}
    """What clients may call a model: its targets "provider:model", in the order they are tried."""
    profiles: dict[str, Profile] = {}
    """Groups of aliases by name: "NAME:model" is a model as that profile names it."""
    middleware: list[Table] = []
    """The links of the chain, outermost first: `use` and the options of that class."""
    providers: dict[str, Table] = {}
    """The upstreams by name: `use` and the options of that class."""
