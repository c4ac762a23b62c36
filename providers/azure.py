"""Azure OpenAI."""

from typing import ClassVar
from urllib.parse import quote

from gateway.call import Call, Headers
from gateway.config.faults import ConfigError, Fault
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.plugin import Runtime
from gateway.secret import Secret
from providers.transport.provider import HttpProvider


class Azure(HttpProvider):
    """An Azure OpenAI resource: with `api_version` its deployments, without it the v1 surface."""

    server_kind: ClassVar[str] = "azure"

    dialect_names: ClassVar[tuple[str, ...]] = ("chat", "responses")

    api_version: str | None = None
    """Such as "2024-10-21"; the model is then the name of a deployment."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """Chat at deployments; the v1 surface speaks Responses as well."""
        return (CHAT,) if self.api_version else super().dialects

    def bind(self, name: str, runtime: Runtime) -> None:
        """Adds the path of the chosen surface to a bare resource URL."""
        if not self.base_url:
            message = 'is missing: set it to "https://RESOURCE.openai.azure.com"'
            raise ConfigError([Fault(path=f"providers.{name}.base_url", message=message)])
        url = self.base_url.rstrip("/")
        if url.count("/") == 2:
            self.base_url = url + ("/openai" if self.api_version else "/openai/v1")
        super().bind(name, runtime)

    def build_path(self, call: Call) -> bytes:
        """The deployment's path, or that of the v1 surface."""
        if self.api_version is None or call.target is None:
            return super().build_path(call)
        model = quote(call.target.model, safe="")
        version = quote(self.api_version, safe="")
        return f"/deployments/{model}{call.dialect.path}?api-version={version}".encode()

    async def models(self, credential: Secret | None) -> bytes | None:
        """The v1 surface's list; None for deployments, whose names the resource does not list."""
        return None if self.api_version else await super().models(credential)

    def make_auth_headers(self, key: str) -> Headers:
        """The key as `api-key`."""
        return [(b"api-key", key.encode())]
