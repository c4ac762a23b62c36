"""Anthropic's own API."""

from typing import ClassVar

from gateway.call import Call, Headers
from providers.transport.provider import HttpProvider
from providers.transport.versions import FORWARDED_HEADERS, add_version_header


class Anthropic(HttpProvider):
    """api.anthropic.com, or a base URL that speaks as it does."""

    server_kind: ClassVar[str] = "anthropic"
    default_url: ClassVar[str] = "https://api.anthropic.com/v1"
    dialect_names: ClassVar[tuple[str, ...]] = ("messages",)
    forwarded: ClassVar[tuple[bytes, ...]] = FORWARDED_HEADERS

    def make_auth_headers(self, key: str) -> Headers:
        """The key as `x-api-key`; an account's token (sk-ant-oat...) as Bearer."""
        if key.startswith("sk-ant-oat"):
            return [(b"authorization", b"Bearer " + key.encode())]
        return [(b"x-api-key", key.encode())]

    def select_client_headers(self, call: Call) -> Headers:
        """Version and betas as the client sent them; a version of ours where it sent none."""
        return add_version_header(super().select_client_headers(call), call)
