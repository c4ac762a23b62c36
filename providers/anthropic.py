"""Anthropic's own API."""

from typing import ClassVar

from gateway.call import Call, Headers
from providers.transport.provider import HttpProvider

CLASSIC = "2023-06-01"
"""The last version of the Messages API that takes temperature, top_p and top_k."""


class Anthropic(HttpProvider):
    """api.anthropic.com, or a base URL that speaks as it does."""

    row: ClassVar[str] = "anthropic"
    default_url: ClassVar[str] = "https://api.anthropic.com/v1"
    spoken: ClassVar[tuple[str, ...]] = ("messages",)
    forwarded: ClassVar[tuple[bytes, ...]] = (b"anthropic-", b"x-app", b"x-claude-code-")

    def credential(self, key: str) -> Headers:
        """The key as `x-api-key`; an account's token (sk-ant-oat...) as Bearer."""
        if key.startswith("sk-ant-oat"):
            return [(b"authorization", b"Bearer " + key.encode())]
        return [(b"x-api-key", key.encode())]

    def client_headers(self, call: Call) -> Headers:
        """Version and betas as the client sent them; a version of ours where it sent none."""
        headers = super().client_headers(call)
        if not any(name == b"anthropic-version" for name, _ in headers):
            headers.append((b"anthropic-version", self._version(call).encode()))
        return headers

    def _version(self, call: Call) -> str:
        sampling = {"temperature", "top_p", "top_k"} & call.fields.keys()
        versions = call.target.capability.anthropic_versions if call.target else ()
        return CLASSIC if sampling or not versions else versions[0]
