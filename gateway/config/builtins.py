"""Short names of built-in middlewares and providers, for `use` and for variables."""

from msgspec import Struct

from gateway.capability.table import kind_base_url, known_kinds

MIDDLEWARES = {
    "auth": "middleware.auth:Auth",
    "batch": "middleware.batch:Batch",
    "alias": "middleware.alias:Alias",
    "history": "middleware.history:History",
    "cache": "middleware.cache:Cache",
    "fallback": "middleware.fallback:Fallback",
    "convert": "middleware.convert:Convert",
}
PROVIDERS = {
    "openai": "providers.openai:OpenAI",
    "anthropic": "providers.anthropic:Anthropic",
    "openrouter": "providers.openrouter:OpenRouter",
    "azure": "providers.azure:Azure",
    "bedrock": "providers.bedrock:Bedrock",
    "vertex": "providers.vertex:Vertex",
    "gemini": "providers.gemini:Gemini",
    "compatible": "providers.compatible:Compatible",
    "echo": "providers.echo:Echo",
}
CHAIN = ("auth", "batch", "alias", "history", "fallback", "convert")
"""The chain of a configuration without [[middleware]]."""
ORDER = ("auth", "batch", "alias", "history", "cache", "fallback", "convert")
"""The required order of built-in middlewares."""


def provider_names() -> list[str]:
    """Return the built-in values of a provider's `use`."""
    return [*PROVIDERS, *(kind for kind in known_kinds() if kind not in PROVIDERS)]


def addressed() -> list[str]:
    """Return the providers with a known address, which need only a key."""
    fixed = ["openai", "anthropic", "openrouter", "gemini"]
    return [
        *fixed,
        *(kind for kind in provider_names() if kind not in PROVIDERS and kind_base_url(kind)),
    ]


def short_name(link: Struct | None) -> str:
    """Return the short name of the built-in that a middleware is or derives from, or ""."""
    names = {dotted: name for name, dotted in MIDDLEWARES.items()}
    lineage = [f"{each.__module__}:{each.__name__}" for each in type(link).__mro__]
    return next((names[each] for each in lineage if each in names), "")
