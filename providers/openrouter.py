"""OpenRouter."""

from typing import ClassVar

from providers.transport.provider import HttpProvider


class OpenRouter(HttpProvider):
    """openrouter.ai: many models behind one API, ids of the form `vendor/model`."""

    server_kind: ClassVar[str] = "openrouter"
    default_url: ClassVar[str] = "https://openrouter.ai/api/v1"
    dialect_names: ClassVar[tuple[str, ...]] = ("chat", "responses")
    forwarded: ClassVar[tuple[bytes, ...]] = (b"http-referer", b"x-title")
    slash_ids: ClassVar[bool] = True
    """A model id with a slash is this provider's own, not `provider/model`."""
