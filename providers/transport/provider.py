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
from gateway.config.schema import Retries, Timeouts
from gateway.counting.dialects import COUNTING_DIALECTS, MESSAGES_COUNTING
from gateway.dialect import Dialect, Fields
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.errors import AllKeysCoolingDown, BadAnswer, GatewayError, Refused, Unauthenticated
from gateway.plugin import Preview, Provider, ProviderStatus, Runtime
from gateway.reply import Prepended, Reply, Source, Stream
from gateway.secret import PASSTHROUGH, Secret
from gateway.wire.sse import BOM
from providers.transport.defaults import DefaultParameters
from providers.transport.engine import (
    ERROR_LIMIT,
    Engine,
    EngineOptions,
    HeaderBlock,
    Request,
    make_header_block,
)
from providers.transport.engine_choice import make_engine
from providers.transport.keys import KEY_STATUSES, KeyRing
from providers.transport.records import override_faults
from providers.transport.stored import read_stored_response
from providers.transport.upstream_response import (
    connection_headers,
    header_policy,
    is_event_stream,
    is_json_object,
    make_gateway_key_error,
    make_missing_key_message,
    mask_secret,
    parse_retry_after,
    read_body,
    read_first_error,
)

MAX_ANSWER_BYTES = 256 * 1024 * 1024
MAX_LIST_BYTES = 16 * 1024 * 1024
DIALECTS: dict[str, Dialect] = {each.name: each for each in (CHAT, MESSAGES, RESPONSES, GEMINI)}


class HttpProvider(Provider):
    """An upstream reached over HTTP with keys, default parameters and a capability table."""

    server_kind: ClassVar[str] = "compatible"
    """Row of the capability table."""
    dialect_names: ClassVar[tuple[str, ...]] = ("chat",)
    models_path: ClassVar[bytes] = b""
    """Path and query of its list of models, where its dialect's is another."""

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
        return tuple(DIALECTS[name] for name in self.dialect_names)

    def bind(self, name: str, runtime: Runtime) -> None:
        """Prepares what every call needs. ConfigError for a base URL or options that cannot be."""
        self._name = name
        url = (self.base_url or self.default_url).rstrip("/")
        if not url:
            raise ConfigError([Fault(path=f"providers.{name}.base_url", message="is missing")])
        keys = self.api_key if isinstance(self.api_key, list) else [self.api_key]
        secrets = [key for key in keys if key]
        self._passthrough = any(key.reveal() == PASSTHROUGH for key in secrets)
        self._key_ring = KeyRing([key for key in secrets if key.reveal() != PASSTHROUGH])
        self._timeouts = self._make_timeouts(name, runtime)
        self._defaults = DefaultParameters(self.defaults)
        self._header_blocks: dict[Secret | None, HeaderBlock] = {}
        self._capability_cache: dict[str, Capability] = {}
        if faults := override_faults(name, self.capabilities, self.by_model):
            raise ConfigError(faults)
        options = EngineOptions(
            self.engine, self.proxy, self.http2, self.ca_file, self.client_cert,
            self.max_connections, self.keepalive,
        )  # fmt: skip
        try:
            self._engine: Engine = make_engine(url, options)
        except (ValueError, OSError) as fault:
            path = f"providers.{name}.base_url"
            raise ConfigError([Fault(path=path, message=str(fault))]) from None

    def _make_timeouts(self, name: str, runtime: Runtime) -> Timeouts:
        common = msgspec.structs.asdict(runtime.config.timeouts)
        unknown = sorted(set(self.timeouts) - set(common))
        if unknown:
            path = f"providers.{name}.timeouts.{unknown[0]}"
            raise ConfigError([Fault(path=path, message="is no timeout")])
        return Timeouts(**(common | self.timeouts))

    def capability(self, model: str) -> Capability:
        """What a model takes: the shipped table with the operator's changes."""
        found = self._capability_cache.get(model)
        if found is None:
            if len(self._capability_cache) > 4096:
                self._capability_cache.clear()
            own = self.capabilities | matching(self.by_model, model)
            found = self._capability_cache[model] = table(self.get_server_kind(), model, own)
        return found

    def get_server_kind(self) -> str:
        """Row of the capability table that this upstream's models are looked up in."""
        return self.server_kind

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
        key = self._get_lookup_key(credential)
        request = Request(
            path.encode(), header_block=self._get_header_block(key), method=method.encode()
        )
        response = await self._engine.send(request, self._timeouts)
        return await read_stored_response(self._name, response, key, own=not self._passthrough)

    def _get_lookup_key(self, credential: Secret | None) -> Secret | None:
        """The key for what is no call. Unauthenticated where the client's is needed."""
        if self._passthrough and credential is None:
            raise Unauthenticated(make_missing_key_message(self._name))
        key = credential if self._passthrough else None
        return self._key_ring.take_key([]) if key is None and len(self._key_ring) else key

    async def models(self, credential: Secret | None) -> bytes | None:
        """The upstream's list of models. Unauthenticated where the client's key is needed."""
        key = self._get_lookup_key(credential)
        messages = self.dialects[0].name == MESSAGES.name
        request = Request(
            self.models_path or (b"/models?limit=1000" if messages else b"/models"),
            header_block=self._get_header_block(key),
            headers=[(b"anthropic-version", b"2023-06-01")] if messages else [],
            method=b"GET",
        )
        response = await self._engine.send(request, self._timeouts)
        body = await read_body(response.body, MAX_LIST_BYTES)
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
            key_hashes=self._key_ring.list_key_hashes(),
            resting=self._key_ring.list_cooldowns(),
            refused=self._key_ring.is_refused(),
            connections={"open": stats.open, "idle": stats.idle, "busy": stats.busy},
        )

    # --- one call ---------------------------------------------------------------------------------

    async def __call__(self, call: Call) -> Reply:
        """The upstream's answer. UpstreamError, Unavailable; Unauthenticated for a missing key."""
        key, own = self._choose_key(call)
        record = call.record
        request = self._build_request(call, key)
        began = monotonic()
        try:
            response = await self._engine.send(request, self._get_timeouts(call))
            record.first_byte = monotonic() - began
            record.secret = key if own else None
            record.connect, record.queued = response.connect, response.queued
            headers = self._filter_headers(response.headers, call)
            if response.status == 200 and call.stream and is_event_stream(response.headers):
                reply = await self._make_stream_reply(call, response.body, headers)
            else:
                limit = MAX_ANSWER_BYTES if response.status == 200 else ERROR_LIMIT
                body = await read_body(response.body, limit)
                reply = self._make_reply(call, response.status, body, headers)
        except GatewayError as error:
            self._record_key_error(call, key, error, own=own)
            raise
        if reply.error is not None:
            return self._make_error_reply(call, reply, key, own=own)
        return reply

    def _get_timeouts(self, call: Call) -> Timeouts:
        """The time that a call has: its target may bring its own."""
        seconds = call.target.timeout if call.target is not None else None
        if seconds is None:
            return self._timeouts
        return msgspec.structs.replace(self._timeouts, first_byte=seconds, idle=seconds)

    def _choose_key(self, call: Call) -> tuple[Secret | None, bool]:
        """The key for this attempt, and whether it is the gateway's own."""
        if self._passthrough:
            if call.caller.credential is None:
                raise Unauthenticated(make_missing_key_message(self._name))
            if call.caller.credential in call.record.tried_keys:
                raise AllKeysCoolingDown(f"Provider '{self._name}' refused the client's API key")
            return call.caller.credential, False
        if not len(self._key_ring):
            return None, True
        key = self._key_ring.take_key(call.record.tried_keys)
        if len(self._key_ring) > 1 or call.record.attempts:
            call.record.tried_keys.append(key)
        return key, True

    def preview(self, call: Call) -> Preview:
        """The request that a call would become."""
        key = self._get_key_source(call)
        given = self.make_auth_headers("key") if key in ("gateway", "client") else []
        names = [name.decode("latin-1") for name, _ in (*given, *self.select_client_headers(call))]
        base = (self.base_url or self.default_url).rstrip("/")
        return Preview(
            url=base + self.build_path(call).decode(),
            headers=["content-type", *map(str.lower, self.headers), *names],
            body=self._encode_body(call),
            key=key,
        )

    def _get_key_source(self, call: Call) -> Literal["gateway", "client", "none", "missing"]:
        if self._passthrough:
            return "client" if call.caller.credential is not None else "missing"
        return "gateway" if len(self._key_ring) else "none"

    def _build_request(self, call: Call, key: Secret | None) -> Request:
        headers = self.select_client_headers(call)
        return Request(
            self.build_path(call), self._encode_body(call), self._get_header_block(key), headers
        )

    def _encode_body(self, call: Call) -> bytes:
        return msgspec.json.encode(
            self._defaults.add_defaults(self.prepare_fields(call), call.dialect)
        )

    def _get_header_block(self, key: Secret | None) -> HeaderBlock:
        found = self._header_blocks.get(key)
        if found is None:
            if len(self._header_blocks) > 1024:
                self._header_blocks.clear()
            given: Headers = [(b"content-type", b"application/json")]
            given += self.make_auth_headers(key.reveal()) if key is not None else []
            given += [(k.lower().encode(), v.encode()) for k, v in self.headers.items()]
            found = self._header_blocks[key] = make_header_block(given)
        return found

    # --- what an upstream may do otherwise -----------------------------------------------------

    def build_path(self, call: Call) -> bytes:
        """Path and query of the request, under the base URL."""
        return call.dialect.path.encode()

    def make_auth_headers(self, key: str) -> Headers:
        """The headers that carry a key."""
        return [(b"authorization", b"Bearer " + key.encode())]

    def prepare_fields(self, call: Call) -> Fields:
        """The top level of the body as this upstream wants it."""
        return call.fields

    def select_client_headers(self, call: Call) -> Headers:
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

    async def _make_stream_reply(self, call: Call, source: Source, headers: Headers) -> Reply:
        """A stream whose first event is here, so that an error in it can still be a status."""
        chunks: list[bytes] = []
        try:
            error, begun = await read_first_error(source, call.dialect, chunks)
            # After a beginning, clients of that dialect look for an error in the stream itself.
            if error is not None and (call.converted or not begun or error.status in (401, 403)):
                raise error
        except BaseException:
            await source.aclose()
            raise
        return Reply(200, call.dialect, Stream(Prepended(chunks, source)), headers, error)

    def _make_reply(self, call: Call, status: int, body: bytes, headers: Headers) -> Reply:
        dialect = call.dialect
        if 400 <= status < 600:
            error = dialect.read_error(status, body)
            error.retry_after = error.retry_after or parse_retry_after(headers)
            if not is_json_object(body):  # a proxy's page: said again so that a client can read it
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
        if digest.usage is None and not is_json_object(body):
            raise BadAnswer("the upstream sent a body that is no JSON object")
        call.record.usage = digest.usage
        return Reply(200, dialect, body, headers)

    def _make_error_reply(
        self, call: Call, reply: Reply, key: Secret | None, *, own: bool
    ) -> Reply:
        """An upstream's error, its words kept but for our key; ours where our key was refused."""
        error = reply.error
        assert error is not None
        self._record_key_error(call, key, error, own=own)
        if own and error.status in (401, 403):  # Gemini says it with 400
            raise make_gateway_key_error(self._name, error.status, error)
        if key is not None and isinstance(reply.body, bytes):
            body = reply.body.replace(key.reveal().encode(), b"***")
            return msgspec.structs.replace(reply, body=body)
        return reply

    def _record_key_error(
        self, call: Call, key: Secret | None, error: GatewayError, *, own: bool
    ) -> None:
        if key is None:
            return
        if own:
            if call.dialect not in COUNTING_DIALECTS:  # counts have limits of their own
                self._key_ring.record_key_error(key, error)
        elif error.status in KEY_STATUSES:
            call.record.tried_keys.append(key)  # the client has no other
        mask_secret(error, key.reveal())

    def _filter_headers(self, headers: Headers, call: Call) -> Headers:
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
