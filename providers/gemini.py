"""Google's Gemini API in its own words."""

from typing import ClassVar
from urllib.parse import quote

import msgspec
from msgspec import Raw

from gateway.call import Call, Headers
from gateway.config.faults import ConfigError, Fault
from gateway.counting.dialects import GEMINI_COUNTING
from gateway.dialect import Fields
from gateway.plugin import Runtime
from gateway.reply import Reply
from providers.transport.provider import HttpProvider

_URL_MEMBERS = frozenset({"model", "stream"})
"""Members of a call that stand in the address, not in the body."""
_OPENAI_FAMILY = "gemini-openai"


class Gemini(HttpProvider):
    """generativelanguage.googleapis.com, or a base URL that speaks as it does."""

    server_kind: ClassVar[str] = "gemini"
    default_url: ClassVar[str] = "https://generativelanguage.googleapis.com/v1beta"
    dialect_names: ClassVar[tuple[str, ...]] = ("gemini",)
    models_path: ClassVar[bytes] = b"/models?pageSize=1000"

    def bind(self, name: str, runtime: Runtime) -> None:
        """Refuses the address of the API that only looks like OpenAI's. ConfigError."""
        if self.base_url.rstrip("/").endswith("/openai"):
            message = "is Gemini's OpenAI-compatible address, which this provider does not speak"
            hint = f'set use = "{_OPENAI_FAMILY}", or leave base_url out'
            raise ConfigError(
                [Fault(path=f"providers.{name}.base_url", message=message, hint=hint)]
            )
        super().bind(name, runtime)

    def make_auth_headers(self, key: str) -> Headers:
        """The key as `x-goog-api-key`: in an address, logs on the way would show it."""
        return [(b"x-goog-api-key", key.encode())]

    def build_path(self, call: Call) -> bytes:
        """The model's path, and what is wanted of it."""
        verb = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
        if call.dialect is GEMINI_COUNTING:
            verb = "countTokens"
        return f"/{get_model_resource(call)}:{verb}".encode()

    def prepare_fields(self, call: Call) -> Fields:
        """The body without what stands in the address."""
        body = {name: raw for name, raw in call.fields.items() if name not in _URL_MEMBERS}
        if call.dialect is not GEMINI_COUNTING or body.keys() == {"contents"}:
            return body
        whole = {
            "model": get_model_resource(call)
        } | body  # more than contents is counted as a request only
        return {"generateContentRequest": Raw(msgspec.json.encode(whole))}

    async def count(self, call: Call) -> Reply | None:
        """The upstream's own count. Raises what a call raises."""
        return await self(call)


def get_model_resource(call: Call) -> str:
    """The resource of the call's model, such as `models/gemini-2.5-pro`, safe in a path."""
    assert call.target is not None
    model = call.target.model
    kind, slash, name = model.partition("/")
    if not slash or kind not in ("models", "tunedModels"):
        kind, name = "models", model
    return f"{kind}/{quote(name, safe='')}"
