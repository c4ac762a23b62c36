"""`GET /metrics`: the figures of all workers, for Prometheus."""

import asyncio

from gateway.admin.workers import Scraped, Workers
from gateway.call import Headers
from gateway.dialects.messages import MESSAGES
from gateway.edge.operation import Ask
from gateway.inside import Inside
from gateway.reply import Reply
from gateway.version import version

_PLAIN: Headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
_OPEN: Headers = [(b"content-type", b"application/openmetrics-text; version=1.0.0; charset=utf-8")]


class Scrape:
    """The endpoint."""

    def __init__(self, inside: Inside, workers: Workers) -> None:
        self._inside = inside
        self._workers = workers
        self._version = version()
        self._one = asyncio.Lock()

    async def figures(self, ask: Ask) -> Reply:
        """Calls, tokens, times and the state of providers, for Prometheus or as OpenMetrics."""
        open_metrics = "application/openmetrics-text" in ask.header(b"accept")
        providers = self._inside.site.providers.items()
        keys = {name: len(each.standing().key_hashes) for name, each in providers}
        # Threads share the interpreter with the loop: one at a time takes its turns.
        async with self._one:
            shares, now = await self._workers.shares(), await self._workers.now()
            scraped = Scraped(shares, now, self._workers.count, keys, self._version)
            text = await asyncio.to_thread(_text, scraped, open_metrics)
        return Reply(200, MESSAGES, text, _OPEN if open_metrics else _PLAIN)


def _text(scraped: Scraped, open_metrics: bool) -> bytes:
    from gateway.admin.exposition import text  # noqa: PLC0415  # only who is scraped loads it

    return text(scraped, open_metrics=open_metrics)
