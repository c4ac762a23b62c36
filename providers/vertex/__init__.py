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
from providers.transport.hosted import hosted, tell, versioned
from providers.transport.keys import KeyRing
from providers.transport.provider import HttpProvider
from providers.transport.renew import Renewed
from providers.vertex.predict import Predicting
from providers.vertex.tokens import tokens

_PROJECT = ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")
_LOCATION = ("CLOUD_ML_REGION", "GOOGLE_CLOUD_LOCATION")
_SHARED = {"us": "aiplatform.us.rep.googleapis.com", "eu": "aiplatform.eu.rep.googleapis.com"}
"""Hosts of the locations that are several regions."""


class Vertex(HttpProvider):
    """Claude models of a Google Cloud project; with a token given, else with Google credentials."""

    row: ClassVar[str] = "vertex"
    spoken: ClassVar[tuple[str, ...]] = ("messages",)
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
        project = self.project or next((env[each] for each in _PROJECT if env.get(each)), "")
        location = self.location or next((env[each] for each in _LOCATION if env.get(each)), "")
        if not project:
            message = f"is missing: set it, or the variable {_PROJECT[0]}"
            raise ConfigError([Fault(path=f"providers.{name}.project", message=message)])
        location = location or "global"
        self._parent = f"/projects/{quote(project)}/locations/{quote(location)}"
        self.base_url = self.base_url or f"https://{_host(location)}/v1"
        super().bind(name, runtime)
        self._strict = runtime.config.server.strict
        held = None
        if not self.api_key:
            held = self._tokens(name)
            # The credentials count as one key: throttled or refused, they rest as a key does.
            self._ring = KeyRing([Secret(f"Google credentials of {name}")])
        self._engine = Predicting(self._engine, held)

    def _tokens(self, name: str) -> Renewed[str]:
        try:
            return Renewed(tokens(self.credentials_file))
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

    def target(self, call: Call) -> bytes:
        """The model's path, or that of counting."""
        assert call.target is not None
        model = call.target.model
        if model in (".", ".."):
            raise InvalidRequest(f'"{model}" is no model', param="model")
        action = "streamRawPredict" if call.stream else "rawPredict"
        if call.dialect is MESSAGES_COUNTING:
            model = "count-tokens"
        path = f"{self._parent}/publishers/anthropic/models/{quote(model, safe='@')}:{action}"
        return path.encode()

    def credential(self, key: str) -> Headers:
        """A token given as Bearer; one of the credentials is added to each request."""
        return super().credential(key) if self.api_key else []

    def prepared(self, call: Call) -> Fields:
        """The body without the model, which the path says, and with the version."""
        counting = call.dialect is MESSAGES_COUNTING
        ours = hosted(call, () if counting else ("model",))
        tell(call, ours, strict=self._strict and not counting)
        versions = call.target.capability.anthropic_versions if call.target else ()
        return versioned(ours.fields, versions[0])

    def client_headers(self, call: Call) -> Headers:
        """The betas that the host knows."""
        betas = hosted(call, ()).betas
        return [(b"anthropic-beta", ",".join(betas).encode())] if betas else []


def _host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    return _SHARED.get(location, f"{location}-aiplatform.googleapis.com")
