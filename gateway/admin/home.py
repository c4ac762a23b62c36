"""`GET /`: what this is and where the rest is; the signs of life."""

from gateway.admin import conformance
from gateway.edge.operation import ApiRequest, json_reply
from gateway.reply import Reply
from gateway.version import version
from gateway.view import GatewayView

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


class HomeApi:
    """`/` and the probes."""

    def __init__(self, view: GatewayView) -> None:
        self._view = view
        self._version = version()

    async def get_root(self, ask: ApiRequest) -> Reply:
        """Name, version, state, and the paths that are there."""
        view = self._view
        provider = view.runtime.providers.get(view.default_provider)
        standing = provider.status() if provider else None
        data = {
            "name": "interlingua",
            "version": self._version,
            "message": f"interlingua v{self._version}",
            "status": "draining" if view.edge.draining else "running",
            "config": {
                "base_url": ask.url,
                "max_tokens_limit": provider.capability("").max_output if provider else None,
                "api_key_configured": bool(standing and standing.key_hashes),
                "client_api_key_validation": len(view.callers) > 0,
            },
            "endpoints": {
                name: path if path in view.paths else None for name, path in ENDPOINTS.items()
            },
            "api_compatibility": conformance.read_overall(),
            "enhancement_status": conformance.read_status(),
            "documentation": "/docs" if "/docs" in view.paths else None,
        }
        return json_reply(data)

    async def get_liveness(self, ask: ApiRequest) -> Reply:
        """The process is alive."""
        return json_reply({"name": "interlingua", "status": "ok"})

    async def get_readiness(self, ask: ApiRequest) -> Reply:
        """It takes new calls: 503 while draining."""
        if self._view.edge.draining:
            return json_reply({"status": "draining"}, 503)
        return json_reply({"name": "interlingua", "status": "ok"})
