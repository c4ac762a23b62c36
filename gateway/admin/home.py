"""`GET /`: version, state and the list of endpoints; the liveness and readiness probes."""

from collections.abc import Iterable

from gateway.admin import conformance
from gateway.edge.operation import ApiRequest, Operation, json_reply
from gateway.reply import Reply
from gateway.version import version
from gateway.view import GatewayView

_OPTIONAL_NAMES = ("messages_batch", "messages_batches")
"""Endpoints that a gateway may lack: `/` shows null for them."""


class HomeApi:
    """`/` and the probes."""

    def __init__(self, view: GatewayView) -> None:
        self._view = view
        self._version = version()

    async def get_root(self, ask: ApiRequest) -> Reply:
        """Name, version, state, and the path of every endpoint."""
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
            "endpoints": dict.fromkeys(_OPTIONAL_NAMES) | _list_paths(view.operations),
            "api_compatibility": conformance.read_overall(),
            "enhancement_status": conformance.read_status(),
            "documentation": "/docs",
        }
        return json_reply(data)

    async def get_liveness(self, ask: ApiRequest) -> Reply:
        """The process is alive."""
        return json_reply({"name": "interlingua", "status": "ok"})

    async def get_readiness(self, ask: ApiRequest) -> Reply:
        """The gateway accepts calls; 503 while it drains."""
        if self._view.edge.draining:
            return json_reply({"status": "draining"}, 503)
        return json_reply({"name": "interlingua", "status": "ok"})


def _list_paths(operations: Iterable[Operation]) -> dict[str, str | None]:
    return {each.name: each.listed_path or each.path for each in operations if each.name}
