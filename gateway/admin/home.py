"""`GET /`: what this is and where the rest is; the signs of life."""

from gateway.admin import conformance
from gateway.edge.operation import Ask, say
from gateway.inside import Inside
from gateway.reply import Reply
from gateway.version import version

ENDPOINTS = {
    "chat_completions": "/v1/chat/completions",
    "messages": "/v1/messages",
    "messages_stream": "/v1/messages/stream",
    "count_tokens": "/v1/messages/count_tokens",
    "messages_batch": "/v1/messages/batch",
    "messages_batches": "/v1/messages/batches",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "cache_stats": "/v1/messages/cache/stats",
    "metrics": "/metrics",
    "running_totals": "/metrics/running-totals",
    "active_requests": "/metrics/active-requests",
    "logs": "/metrics/logs",
    "gemini_models": "/v1beta/models",
    "models": "/v1/models",
    "aliases": "/v1/aliases",
    "top_models": "/top-models",
    "profiles": "/profiles",
    "health": "/health",
    "health_detailed": "/health/detailed",
    "test_connection": "/test-connection",
    "explain": "/explain",
    "openapi": "/openapi.json",
}
"""What `/` names; null stands for what this gateway has not."""


class Home:
    """`/` and the probes."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._version = version()

    async def root(self, ask: Ask) -> Reply:
        """Name, version, state, and the paths that are there."""
        inside = self._inside
        provider = inside.site.providers.get(inside.default)
        standing = provider.standing() if provider else None
        data = {
            "name": "interlingua",
            "version": self._version,
            "message": f"interlingua v{self._version}",
            "status": "draining" if inside.edge.draining else "running",
            "config": {
                "base_url": ask.url,
                "max_tokens_limit": provider.capability("").max_output if provider else None,
                "api_key_configured": bool(standing and standing.key_hashes),
                "client_api_key_validation": len(inside.callers) > 0,
            },
            "endpoints": {
                name: path if path in inside.paths else None for name, path in ENDPOINTS.items()
            },
            "api_compatibility": conformance.overall(),
            "enhancement_status": conformance.status(),
            "documentation": "/docs" if "/docs" in inside.paths else None,
        }
        return say(data)

    async def alive(self, ask: Ask) -> Reply:
        """The process is alive."""
        return say({"name": "interlingua", "status": "ok"})

    async def ready(self, ask: Ask) -> Reply:
        """It takes new calls: 503 while draining."""
        if self._inside.edge.draining:
            return say({"status": "draining"}, 503)
        return say({"name": "interlingua", "status": "ok"})
