"""Claude on Google Cloud's Vertex AI."""

from typing import ClassVar
from urllib.parse import quote

from gateway.call import Call, Headers
from gateway.config.faults import ConfigError, Fault
from gateway.counting.dialects import MESSAGES_COUNTING
from gateway.dialect import Fields
from gateway.errors import InvalidRequest
from gateway.plugin import Runtime
from gateway.reply import Reply
from gateway.secret import Secret
from providers.transport.cloud_messages import adapt_to_host, add_api_version, report_dropped
from providers.transport.credential_cache import CredentialCache
from providers.transport.keys import KeyRing
from providers.transport.provider import HttpProvider
from providers.vertex.predict import VertexEngine
from providers.vertex.tokens import make_token_fetcher

_PROJECT_VARIABLES = ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")
_LOCATION_VARIABLES = ("CLOUD_ML_REGION", "GOOGLE_CLOUD_LOCATION")
_MULTI_REGION_HOSTS = {
    "us": "aiplatform.us.rep.googleapis.com",
    "eu": "aiplatform.eu.rep.googleapis.com",
}
"""Hosts of the locations that are several regions."""


class Vertex(HttpProvider):
    """Claude models of a Google Cloud project; with a token given, else with Google credentials."""

    server_kind: ClassVar[str] = "vertex"
    dialect_names: ClassVar[tuple[str, ...]] = ("messages",)
    forwarded: ClassVar[tuple[bytes, ...]] = (b"anthropic-beta",)

    project: str = ""
    """The project's id; unset: ANTHROPIC_VERTEX_PROJECT_ID, else GOOGLE_CLOUD_PROJECT."""
    location: str = ""
    """A region, "us", "eu" or "global"; unset: CLOUD_ML_REGION, else "global"."""
    credentials_file: str | None = None
    """Google credentials, such as a service account's key; unset: the application's default."""

    def bind(self, name: str, runtime: Runtime) -> None:
        """Settles project, location and credentials. ConfigError where they are missing."""
        env = runtime.config.source.env
        project = self.project or next(
            (env[each] for each in _PROJECT_VARIABLES if env.get(each)), ""
        )
        location = self.location or next(
            (env[each] for each in _LOCATION_VARIABLES if env.get(each)), ""
        )
        if not project:
            message = f"is missing: set it, or the variable {_PROJECT_VARIABLES[0]}"
            raise ConfigError([Fault(path=f"providers.{name}.project", message=message)])
        location = location or "global"
        self._parent_path = f"/projects/{quote(project)}/locations/{quote(location)}"
        self.base_url = self.base_url or f"https://{_get_host(location)}/v1"
        super().bind(name, runtime)
        self._strict = runtime.config.server.strict
        held = None
        if not self.api_key:
            held = self._make_token_cache(name)
            # The credentials count as one key: throttled or refused, they rest as a key does.
            self._key_ring = KeyRing([Secret(f"Google credentials of {name}")])
        self._engine = VertexEngine(self._engine, held)

    def _make_token_cache(self, name: str) -> CredentialCache[str]:
        try:
            return CredentialCache(make_token_fetcher(self.credentials_file))
        except ModuleNotFoundError as fault:
            message = (
                'needs an access token, or the extra "vertex" for Google credentials '
                f"({fault.name} is missing): interlingua[vertex]"
            )
            raise ConfigError([Fault(path=f"providers.{name}.api_key", message=message)]) from None

    async def models(self, credential: Secret | None) -> bytes | None:
        """None: this API lists no models of Anthropic's."""
        return None

    async def count(self, call: Call) -> Reply | None:
        """The host's own count; None where it refuses: it does not count every model.

        It says 400 of a request that is wrong as well, which the call itself will hear.
        """
        reply = await super().count(call.with_model(call.model.partition("@")[0]))
        refused = reply is not None and reply.error is not None and reply.status == 400
        return None if refused else reply

    def build_path(self, call: Call) -> bytes:
        """The model's path, or that of counting."""
        assert call.target is not None
        model = call.target.model
        if model in (".", ".."):
            raise InvalidRequest(f'"{model}" is no model', param="model")
        action = "streamRawPredict" if call.stream else "rawPredict"
        if call.dialect is MESSAGES_COUNTING:
            model = "count-tokens"
        path = f"{self._parent_path}/publishers/anthropic/models/{quote(model, safe='@')}:{action}"
        return path.encode()

    def make_auth_headers(self, key: str) -> Headers:
        """A token given as Bearer; one of the credentials is added to each request."""
        return super().make_auth_headers(key) if self.api_key else []

    def prepare_fields(self, call: Call) -> Fields:
        """The body without the model, which the path says, and with the version."""
        counting = call.dialect is MESSAGES_COUNTING
        ours = adapt_to_host(call, () if counting else ("model",))
        report_dropped(call, ours, strict=self._strict and not counting)
        versions = call.target.capability.anthropic_versions if call.target else ()
        return add_api_version(ours.fields, versions[0])

    def select_client_headers(self, call: Call) -> Headers:
        """The betas that the host knows."""
        betas = adapt_to_host(call, ()).betas
        return [(b"anthropic-beta", ",".join(betas).encode())] if betas else []


def _get_host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    return _MULTI_REGION_HOSTS.get(location, f"{location}-aiplatform.googleapis.com")
