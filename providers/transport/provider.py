"""A provider over HTTP: everything that does not depend on which upstream it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, ClassVar, Literal

import msgspec

from gateway.call import Call, Headers
from gateway.capability.record import Capability
from gateway.capability.table import capability as table, matching
from gateway.config.faults import ConfigError, Fault
from gateway.config.schema import Retries
from gateway.counting.dialects import COUNTING_DIALECTS, MESSAGES_COUNTING
from gateway.dialect import Dialect, Fields
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.errors import AllKeysCoolingDown, BadAnswer, GatewayError, Refused, Unauthenticated
from gateway.plugin import Preview, Provider, ProviderStatus, Runtime
from gateway.reply import Prepended, Reply, Source, Stream
from gateway.secret import Secret
from gateway.wire.sse import BOM
from providers.transport.answer import (
    connection_headers,
    first_error,
    header_policy,
    is_object,
    is_stream,
    mask,
    needs_key,
    our_key,
    retry_after,
    whole,
)
from providers.transport.choose import engine
from providers.transport.defaults import Defaults
from providers.transport.engine import Engine, HeaderBlock, Options, Request, Timeouts, block
from providers.transport.kept import told
from providers.transport.keys import KEY_BOUND, KeyRing
from providers.transport.records import override_faults

PASSTHROUGH = "!PASSTHRU"
ERROR_LIMIT = 1024 * 1024
ANSWER_LIMIT = 256 * 1024 * 1024
LIST_LIMIT = 16 * 1024 * 1024
DIALECTS: dict[str, Dialect] = {each.name: each for each in (CHAT, MESSAGES, RESPONSES, GEMINI)}


class HttpProvider(Provider):
    """An upstream reached over HTTP with keys, default parameters and a capability table."""

    row: ClassVar[str] = "compatible"
    """Row of the capability table."""
    default_url: ClassVar[str] = ""
    spoken: ClassVar[tuple[str, ...]] = ("chat",)
    listing: ClassVar[bytes] = b""
    """Path and query of its list of models, where its dialect's is another."""
    forwarded: ClassVar[tuple[bytes, ...]] = ()
    """Prefixes of client headers that this upstream understands."""

    api_key: Secret | list[Secret] | None = None
    """Key, or keys in rotation; "!PASSTHRU" forwards the client's own."""
    base_url: str = ""
    """Where the upstream's API begins, its version included, such as "https://host/v1"."""
    headers: dict[str, str] = {}
    """Headers added to every request."""
    defaults: dict[str, Any] = {}
    """Parameters set where the client sets none."""
    aliases: dict[str, str | list[str]] = {}
    """Names of models for this provider's own."""
    model_ids: list[str] = []
    """Model ids that belong to this provider without a prefix."""
    capabilities: dict[str, Any] = {}
    """Members of the capability record that differ from the shipped table."""
    by_model: dict[str, dict[str, Any]] = msgspec.field(name="models", default_factory=dict)
    """The same for models that fit a pattern, such as "gpt-5*"; later ones win."""
    engine: Literal["direct", "httpx2"] = "direct"
    """"httpx2" for HTTP/2, a proxy or a client certificate."""
    proxy: str | None = None
    """URL of a proxy on the way to the upstream; engine "httpx2"."""
    http2: bool = False
    """Speak HTTP/2; engine "httpx2"."""
    ca_file: str | None = None
    """PEM file of the certificate authorities to trust instead of the system's."""
    client_cert: str | None = None
    """PEM file with a certificate and its key to show; engine "httpx2"."""
    max_connections: int = 1000
    """Most connections open to this upstream."""
    keepalive: float = 55.0
    """Seconds that an unused connection is kept."""
    timeouts: dict[str, float] = {}
    """Members of [timeouts] that differ for this provider."""
    max_retries: Retries | None = None
    """Most tries here after the first; unset: as many as `fallback` has attempts."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """The dialects the upstream speaks, best first."""
        return tuple(DIALECTS[name] for name in self.spoken)

    def bind(self, name: str, runtime: Runtime) -> None:
        """Prepares what every call needs. ConfigError for a base URL or options that cannot be."""
        self._name = name
        url = (self.base_url or self.default_url).rstrip("/")
        if not url:
            raise ConfigError([Fault(path=f"providers.{name}.base_url", message="is missing")])
        keys = self.api_key if isinstance(self.api_key, list) else [self.api_key]
        secrets = [key for key in keys if key]
        self._passthrough = any(key.reveal() == PASSTHROUGH for key in secrets)
        self._ring = KeyRing([key for key in secrets if key.reveal() != PASSTHROUGH])
        self._timeouts = self._bound_timeouts(name, runtime)
        self._defaults = Defaults(self.defaults)
        self._heads: dict[Secret | None, HeaderBlock] = {}
        self._records: dict[str, Capability] = {}
        if faults := override_faults(name, self.capabilities, self.by_model):
            raise ConfigError(faults)
        options = Options(
            self.engine, self.proxy, self.http2, self.ca_file, self.client_cert,
            self.max_connections, self.keepalive,
        )  # fmt: skip
        try:
            self._engine: Engine = engine(url, options)
        except (ValueError, OSError) as fault:
            path = f"providers.{name}.base_url"
            raise ConfigError([Fault(path=path, message=str(fault))]) from None

    def _bound_timeouts(self, name: str, runtime: Runtime) -> Timeouts:
        common = msgspec.structs.asdict(runtime.config.timeouts)
        unknown = sorted(set(self.timeouts) - set(common))
        if unknown:
            path = f"providers.{name}.timeouts.{unknown[0]}"
            raise ConfigError([Fault(path=path, message="is no timeout")])
        return Timeouts(**(common | self.timeouts))

    def capability(self, model: str) -> Capability:
        """What a model takes: the shipped table with the operator's changes."""
        found = self._records.get(model)
        if found is None:
            if len(self._records) > 4096:
                self._records.clear()
            own = self.capabilities | matching(self.by_model, model)
            found = self._records[model] = table(self.table_row(), model, own)
        return found

    def table_row(self) -> str:
        """Row of the capability table that this upstream's models are looked up in."""
        return self.row

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The engine's life: its connections close with it."""
        try:
            yield
        finally:
            await self._engine.aclose()

    # --- its models, and how it stands ------------------------------------------------------------

    async def count(self, call: Call) -> Reply | None:
        """The upstream's own count, where its dialect has one. Raises what a call raises."""
        counts = MESSAGES if call.dialect is MESSAGES_COUNTING else RESPONSES
        return await self(call) if counts in self.dialects else None

    async def fetch_stored(
        self, method: str, path: str, credential: Secret | None
    ) -> tuple[int, bytes] | None:
        """What the upstream keeps, where it speaks Responses. Raises what a call raises."""
        if RESPONSES not in self.dialects:
            return None
        key = self._aside(credential)
        request = Request(path.encode(), head=self._head(key), method=method.encode())
        response = await self._engine.send(request, self._timeouts)
        return await told(self._name, response, key, own=not self._passthrough)

    def _aside(self, credential: Secret | None) -> Secret | None:
        """The key for what is no call. Unauthenticated where the client's is needed."""
        if self._passthrough and credential is None:
            raise Unauthenticated(needs_key(self._name))
        key = credential if self._passthrough else None
        return self._ring.take([]) if key is None and len(self._ring) else key

    async def models(self, credential: Secret | None) -> bytes | None:
        """The upstream's list of models. Unauthenticated where the client's key is needed."""
        key = self._aside(credential)
        messages = self.dialects[0].name == MESSAGES.name
        request = Request(
            self.listing or (b"/models?limit=1000" if messages else b"/models"),
            head=self._head(key),
            headers=[(b"anthropic-version", b"2023-06-01")] if messages else [],
            method=b"GET",
        )
        response = await self._engine.send(request, self._timeouts)
        body = await whole(response.body, LIST_LIMIT)
        if response.status != 200:
            raise Refused(
                f"the provider '{self._name}' answered {response.status} when asked for its models",
                status=502,
            )
        return body

    def status(self) -> ProviderStatus:
        """Its keys and connections."""
        stats = self._engine.stats()
        return ProviderStatus(
            base_url=(self.base_url or self.default_url).rstrip("/"),
            passthrough=self._passthrough,
            key_hashes=self._ring.hashes(),
            resting=self._ring.resting(),
            refused=self._ring.refused(),
            connections={"open": stats.open, "idle": stats.idle, "busy": stats.busy},
        )

    # --- one call ---------------------------------------------------------------------------------

    async def __call__(self, call: Call) -> Reply:
        """The upstream's answer. UpstreamError, Unavailable; Unauthenticated for a missing key."""
        key, own = self._key(call)
        record = call.record
        request = self._request(call, key)
        began = monotonic()
        try:
            response = await self._engine.send(request, self._allowed(call))
            record.first_byte = monotonic() - began
            record.secret = key if own else None
            record.connect, record.queued = response.connect, response.queued
            headers = self._seen(response.headers, call)
            if response.status == 200 and call.stream and is_stream(response.headers):
                reply = await self._streamed(call, response.body, headers)
            else:
                limit = ANSWER_LIMIT if response.status == 200 else ERROR_LIMIT
                body = await whole(response.body, limit)
                reply = self._judged(call, response.status, body, headers)
        except GatewayError as error:
            self._blame(call, key, error, own=own)
            raise
        if reply.error is not None:
            return self._refused(call, reply, key, own=own)
        return reply

    def _allowed(self, call: Call) -> Timeouts:
        """The time that a call has: its target may bring its own."""
        seconds = call.target.timeout if call.target is not None else None
        if seconds is None:
            return self._timeouts
        return msgspec.structs.replace(self._timeouts, first_byte=seconds, idle=seconds)

    def _key(self, call: Call) -> tuple[Secret | None, bool]:
        """The key for this attempt, and whether it is the gateway's own."""
        if self._passthrough:
            if call.caller.credential is None:
                raise Unauthenticated(needs_key(self._name))
            if call.caller.credential in call.record.tried_keys:
                raise AllKeysCoolingDown(f"Provider '{self._name}' refused the client's API key")
            return call.caller.credential, False
        if not len(self._ring):
            return None, True
        key = self._ring.take(call.record.tried_keys)
        if len(self._ring) > 1 or call.record.attempts:
            call.record.tried_keys.append(key)
        return key, True

    def preview(self, call: Call) -> Preview:
        """The request that a call would become."""
        key = self._whose(call)
        given = self.credential("key") if key in ("gateway", "client") else []
        names = [name.decode("latin-1") for name, _ in (*given, *self.client_headers(call))]
        base = (self.base_url or self.default_url).rstrip("/")
        return Preview(
            url=base + self.target(call).decode(),
            headers=["content-type", *map(str.lower, self.headers), *names],
            body=self._body(call),
            key=key,
        )

    def _whose(self, call: Call) -> Literal["gateway", "client", "none", "missing"]:
        if self._passthrough:
            return "client" if call.caller.credential is not None else "missing"
        return "gateway" if len(self._ring) else "none"

    def _request(self, call: Call, key: Secret | None) -> Request:
        headers = self.client_headers(call)
        return Request(self.target(call), self._body(call), self._head(key), headers)

    def _body(self, call: Call) -> bytes:
        return msgspec.json.encode(self._defaults.added(self.prepared(call), call.dialect))

    def _head(self, key: Secret | None) -> HeaderBlock:
        found = self._heads.get(key)
        if found is None:
            if len(self._heads) > 1024:
                self._heads.clear()
            given: Headers = [(b"content-type", b"application/json")]
            given += self.credential(key.reveal()) if key is not None else []
            given += [(k.lower().encode(), v.encode()) for k, v in self.headers.items()]
            found = self._heads[key] = block(given)
        return found

    # --- what an upstream may do otherwise -----------------------------------------------------

    def target(self, call: Call) -> bytes:
        """Path and query of the request, under the base URL."""
        return call.dialect.path.encode()

    def credential(self, key: str) -> Headers:
        """The headers that carry a key."""
        return [(b"authorization", b"Bearer " + key.encode())]

    def prepared(self, call: Call) -> Fields:
        """The top level of the body as this upstream wants it."""
        return call.fields

    def client_headers(self, call: Call) -> Headers:
        """The client's headers that go on: only what this upstream is known to understand."""
        if not self.forwarded:
            return []
        prefixes = self.forwarded
        given = [header for header in call.headers if header[0].startswith(prefixes)]
        if not given:
            return []
        here = connection_headers(call.headers)
        return [header for header in given if header[0] not in here]

    # --- the answer -------------------------------------------------------------------------------

    async def _streamed(self, call: Call, source: Source, headers: Headers) -> Reply:
        """A stream whose first event is here, so that an error in it can still be a status."""
        chunks: list[bytes] = []
        try:
            error, begun = await first_error(source, call.dialect, chunks)
            # After a beginning, clients of that dialect look for an error in the stream itself.
            if error is not None and (call.converted or not begun or error.status in (401, 403)):
                raise error
        except BaseException:
            await source.aclose()
            raise
        return Reply(200, call.dialect, Stream(Prepended(chunks, source)), headers, error)

    def _judged(self, call: Call, status: int, body: bytes, headers: Headers) -> Reply:
        dialect = call.dialect
        if 400 <= status < 600:
            error = dialect.read_error(status, body)
            error.retry_after = error.retry_after or retry_after(headers)
            if not is_object(body):  # a proxy's page: said again so that a client can read it
                status, body = dialect.error_status(error), dialect.write_error(error, call.id)
                headers = [header for header in headers if header[0] != b"content-type"]
            return Reply(status, dialect, body, headers, error)
        if status != 200:
            raise BadAnswer(f"the upstream answered with status {status}, which is no answer")
        if body[:1] != b"{":
            body = body.removeprefix(BOM).lstrip()  # some keep alive with blank lines
        if call.converted and body[:1] == b"{" and body.find(b'"error"') < 0:
            return Reply(200, dialect, body, headers)
        digest = dialect.summarize(body)
        if digest.error is not None:
            raise digest.error
        if digest.usage is None and not is_object(body):
            raise BadAnswer("the upstream sent a body that is no JSON object")
        call.record.usage = digest.usage
        return Reply(200, dialect, body, headers)

    def _refused(self, call: Call, reply: Reply, key: Secret | None, *, own: bool) -> Reply:
        """An upstream's error, its words kept but for our key; ours where our key was refused."""
        error = reply.error
        assert error is not None
        self._blame(call, key, error, own=own)
        if own and error.status in (401, 403):  # Gemini says it with 400
            raise our_key(self._name, error.status, error)
        if key is not None and isinstance(reply.body, bytes):
            body = reply.body.replace(key.reveal().encode(), b"***")
            return msgspec.structs.replace(reply, body=body)
        return reply

    def _blame(self, call: Call, key: Secret | None, error: GatewayError, *, own: bool) -> None:
        if key is None:
            return
        if own:
            if call.dialect not in COUNTING_DIALECTS:  # counts have limits of their own
                self._ring.judge(key, error)
        elif error.status in KEY_BOUND:
            call.record.tried_keys.append(key)  # the client has no other
        mask(error, key.reveal())

    def _seen(self, headers: Headers, call: Call) -> Headers:
        """The headers that a client may see: an allow-list, for the rest is the account's."""
        seen: Headers = []
        here = connection_headers(headers) if b"connection" in dict(headers) else ()
        for header in headers:
            seen_as = header_policy(header[0])
            if seen_as == "hidden" or header[0] in here:
                continue
            if seen_as == "id":
                call.record.upstream_id = header[1].decode("latin-1")
            elif seen_as == "passed" or not call.stream:
                seen.append(header)
        return seen
