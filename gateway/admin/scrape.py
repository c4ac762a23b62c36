"""`GET /metrics`: the figures of all workers, for Prometheus."""

import asyncio

from gateway.admin.workers import AllWorkers, ScrapeData
from gateway.call import Headers
from gateway.dialects.messages import MESSAGES
from gateway.edge.operation import ApiRequest
from gateway.reply import Reply
from gateway.version import version
from gateway.view import GatewayView

_PROMETHEUS_HEADERS: Headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
_OPENMETRICS_HEADERS: Headers = [
    (b"content-type", b"application/openmetrics-text; version=1.0.0; charset=utf-8")
]


class PrometheusApi:
    """The endpoint."""

    def __init__(self, view: GatewayView, workers: AllWorkers) -> None:
        self._view = view
        self._workers = workers
        self._version = version()
        self._render_lock = asyncio.Lock()

    async def get_metrics(self, ask: ApiRequest) -> Reply:
        """Calls, tokens, times and the state of providers, for Prometheus or as OpenMetrics."""
        open_metrics = "application/openmetrics-text" in ask.get_header(b"accept")
        providers = self._view.runtime.providers.items()
        keys = {name: len(each.status().key_hashes) for name, each in providers}
        # Threads share the interpreter with the loop: one at a time takes its turns.
        async with self._render_lock:
            shares, now = await self._workers.collect_shares(), await self._workers.collect_state()
            scraped = ScrapeData(shares, now, self._workers.count, keys, self._version)
            text = await asyncio.to_thread(_render_text, scraped, open_metrics)
        return Reply(
            200, MESSAGES, text, _OPENMETRICS_HEADERS if open_metrics else _PROMETHEUS_HEADERS
        )


def _render_text(scraped: ScrapeData, open_metrics: bool) -> bytes:
    from gateway.admin.exposition import render_metrics  # noqa: PLC0415  # only who is scraped loads it

    return render_metrics(scraped, open_metrics=open_metrics)
