"""OpenAI's own API."""

from typing import ClassVar

from gateway.call import Headers
from providers.transport.provider import HttpProvider


class OpenAI(HttpProvider):
    """api.openai.com, or a base URL that speaks as it does."""

    server_kind: ClassVar[str] = "openai"
    default_url: ClassVar[str] = "https://api.openai.com/v1"
    dialect_names: ClassVar[tuple[str, ...]] = ("chat", "responses")
    forwarded: ClassVar[tuple[bytes, ...]] = (b"openai-beta", b"idempotency-key")

    organization: str | None = None
    """The organization that calls are billed to."""
    project: str | None = None
    """The project that calls are billed to."""

    def make_auth_headers(self, key: str) -> Headers:
        """Bearer key, organization and project."""
        given = [(b"authorization", b"Bearer " + key.encode())]
        if self.organization:
            given.append((b"openai-organization", self.organization.encode()))
        if self.project:
            given.append((b"openai-project", self.project.encode()))
        return given
