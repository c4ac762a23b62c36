"""The options of config.toml: each field is a key with its default."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.config.size import Size
from gateway.secret import Secret

Seconds = Annotated[float, Meta(ge=0)]
"""A time in seconds."""

Retries = Annotated[int, Meta(ge=0, le=20)]
"""Number of retries."""

Table = dict[str, Any]
"""A table as TOML gives it, to be checked against the class that reads it."""


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[server]: address, limits for clients, and the processes that serve."""

    host: str = "127.0.0.1"
    """Address to listen on; one that is not loopback needs [auth] keys."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8082
    """TCP port, 1 to 65535; 0 takes a free one."""
    workers: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Worker processes; 0: one for each usable core."""
    body_limit: Size = Size("64MiB")
    """Largest request body, in bytes or as a text such as "64MiB"."""
    body_timeout: Seconds = 30.0
    """Longest pause in seconds while a request body arrives."""
    header_timeout: Seconds = 10.0
    """Seconds for a whole request head to arrive."""
    max_headers: Annotated[int, Meta(ge=1)] = 100
    """Maximum number of header fields of a request."""
    max_header_bytes: Size = Size("32KiB")
    """Maximum number of bytes of a request head."""
    ping: Seconds = 15.0
    """Seconds of silence in a stream before a ping is sent; 0 sends none."""
    drain: Seconds = 30.0
    """Seconds that calls in flight have to finish on shutdown."""
    fast_path: bool = True
    """Serve most calls without ASGI in between; false: every request goes through ASGI."""
    strict: bool = False
    """Refuse a request that cannot be converted completely, instead of dropping with a warning."""
    seal_key: Secret | None = None
    """Key that encrypts reasoning held by clients; without one, each start makes a new one."""
    cors_origins: list[str] = []
    """Web origins that may call from a browser (CORS); "*" allows any."""
    discover: bool = True
    """Also make providers from variables such as OPENAI_API_KEY; those of the file come first."""
    vandamme_config: str = ""
    """Configuration file of vandamme-proxy; empty: those that are found, if `discover`."""
    insecure_no_auth: bool = False
    """Listen on a public address without client keys."""


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[log]: level and format."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest severity that is logged."""
    format: Literal["auto", "json", "console"] = "auto"
    """"auto" is "console" on a terminal, else "json"."""


class Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of [auth] keys: a client's key and the name of the caller."""

    key: Secret
    """The key itself: "env:NAME", "file:/path" or "${NAME}"."""
    name: str = ""
    """Name of the caller in logs; by default "client" and its position in the list."""


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[auth]: the keys of clients."""

    keys: list[Key] = []
    """Keys that clients authenticate with; empty: no key is required."""


class Timeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[timeouts]: limits for upstreams in seconds; 0 is no limit."""

    connect: Seconds = 5.0
    """Seconds to connect, TLS included."""
    pool: Seconds = 5.0
    """Seconds to wait for a free connection."""
    first_byte: Seconds = 300.0
    """Seconds from the request written to the whole head of the answer."""
    idle: Seconds = 120.0
    """Seconds between two reads of an answer, not counting those in which the client is slow."""
    total: Seconds = 0.0
    """Seconds for the whole call; 0 is no limit."""


class Routing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[routing]: the targets of models whose name does not determine a provider."""

    default_provider: str = ""
    """Name of a provider; empty: VDM_DEFAULT_PROVIDER, else "openai", else the first provider."""
    default_profile: str = ""
    """Name of the profile that applies to models without a prefix."""


class Catalogue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[catalogue]: the lists of models and their cache."""

    folder: str = ""
    """Folder for cached lists; empty: $STATE_DIRECTORY, else the user's cache folder."""
    ttl: Seconds = 3600.0
    """Seconds after which a list is fetched again."""
    timeout: Seconds = 2.5
    """Seconds that a client waits for lists; later ones are used for the next request."""
    top_models: Literal["manual", "openrouter", "disabled"] = "manual"
    """Source of /top-models; "manual" is the list that comes with the gateway."""


class Batches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[batch]: the Message Batches API, and the Files and Batches APIs of OpenAI."""

    engine: Secret = Secret("off")
    """Storage: "off", "embedded" (SQLite), or a URL "postgres://user@host/name"."""
    folder: str = ""
    """Folder of the embedded engine; empty: $STATE_DIRECTORY, else the user's state folder."""
    node: str = ""
    """Name of this gateway among those that share a Postgres; empty: the host name."""
    concurrency: Annotated[int, Meta(ge=1)] = 32
    """Maximum number of items in flight, of all batches together."""
    busy: Annotated[int, Meta(ge=0)] = 16
    """Each normal call in flight beyond this number lowers `concurrency` by one, down to one."""
    poll: Annotated[float, Meta(gt=0)] = 1.0
    """Seconds between two checks for batches to start."""
    chunk: Annotated[int, Meta(ge=1, le=1000)] = 50
    """Number of items of a batch that are loaded together."""
    max_items: Annotated[int, Meta(ge=1)] = 100_000
    """Maximum number of requests of one batch."""
    max_file: Size = Size("200MiB")
    """Largest file that can be uploaded, bytes or a text such as "200MiB"."""
    window: Annotated[float, Meta(gt=0)] = 86400.0
    """Seconds after which the unfinished items of a batch expire."""
    retention: Annotated[float, Meta(gt=0)] = 2592000.0
    """Seconds after which results and files are deleted."""


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[profiles.NAME]: aliases and limits of calls for models named "NAME:model"."""

    aliases: dict[str, list[str]] = {}
    """Aliases as in [aliases], for calls through this profile."""
    timeout: Seconds | None = None
    """Seconds that replace the provider's first_byte and idle; 0 is no limit."""
    max_retries: Retries | None = None
    """Maximum number of retries at one target, instead of the provider's."""


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
    """Name for a model -> its targets "provider:model", in the order in which they are tried."""
    profiles: dict[str, Profile] = {}
    """Groups of aliases by name; a client writes "NAME:model"."""
    middleware: list[Table] = []
    """The middlewares of the chain, outermost first: `use` and the options of that class."""
    providers: dict[str, Table] = {}
    """The upstreams by name: `use` and the options of that class."""
