"""`GET /health` for monitors, `GET /health/detailed` for operators: what was measured, only that.

No upstream is asked: how a provider is, its last calls have shown.
"""

from collections.abc import Mapping

from gateway.admin import conformance
from gateway.admin.workers import Now, Rests, Workers
from gateway.admin.yaml import shown
from gateway.api.cache import improvement, whole
from gateway.edge.operation import Ask, say
from gateway.inside import Inside
from gateway.plugin import Provider
from gateway.reply import Reply
from gateway.roles import Cached, timestamp
from gateway.telemetry.shares import Done
from gateway.telemetry.totals import Tally
from gateway.version import version

FORMATS = {"chat": "openai", "messages": "anthropic"}
"""What a dialect is called where a provider's is told."""
_UNKNOWN = "not configured"


class Health:
    """The health endpoints."""

    def __init__(self, inside: Inside, workers: Workers) -> None:
        self._inside = inside
        self._workers = workers
        self._version = version()
        conformance.overall()  # read now: no file is read while calls are served

    async def plain(self, ask: Ask) -> Reply:
        """Whether the gateway serves, and what it is set up with; nothing secret."""
        inside = self._inside
        done, now = await self._workers.done(), await self._workers.now()
        data = {
            "status": self._status(done, now),
            "timestamp": timestamp(),
            "api_key_valid": self._key_valid(now),
            "client_api_key_validation": len(inside.callers) > 0,
            "default_provider": inside.default,
            "providers": {
                name: _account(provider) for name, provider in inside.site.providers.items()
            },
        }
        return shown(ask, data)

    async def detailed(self, ask: Ask) -> Reply:
        """The state of every part, as measured in all workers."""
        inside = self._inside
        config = inside.site.config
        done, now = await self._workers.done(), await self._workers.now()
        providers = {name: self._state(name, done, now) for name in inside.site.providers}
        data = {
            "status": self._status(done, now),
            "timestamp": timestamp(),
            "version": self._version,
            "environment": config.source.env.get("ENVIRONMENT", "unspecified"),
            "services": self._services(providers),
            "configuration": self._configuration(),
            "api_compatibility": conformance.compatibility(),
            "enhancement_phases": conformance.phases(),
            "performance_metrics": conformance.tests()
            | await self._improvements(done)
            | _measured(done, now),
            "workers": {"count": self._workers.count, "answered": now.workers},
            "providers": providers,
            "batches": await inside.batches.figures() if inside.batches else {"engine": "off"},
            "profiles": self._profiles(),
        }
        return say(data)

    def _key_valid(self, now: Now) -> bool:
        """Whether the default provider has what it needs, and its upstream has not refused it."""
        default = self._inside.default
        return default in self._inside.site.providers and not now.rests[default].refused

    def _status(self, done: Done, now: Now) -> str:
        if self._inside.edge.draining:
            return "draining"
        states = [self._state(name, done, now)["state"] for name in self._inside.site.providers]
        # One provider that works is a gateway that works.
        return "degraded" if states and all(each == "failing" for each in states) else "healthy"

    def _state(self, name: str, done: Done, now: Now) -> dict[str, object]:
        tally, rests = done.of_provider(name), now.rests.get(name, Rests())
        standing = self._inside.site.providers[name].standing()
        keys = len(standing.key_hashes)
        return {
            "state": "failing" if rests.refused else _judged(tally),
            "calls": tally.calls,
            "errors": tally.errors,
            "last_success": timestamp(tally.last_success) if tally.last_success else None,
            "last_failure": timestamp(tally.last_failure) if tally.last_failure else None,
            "last_error": tally.last_error or None,
            "keys": {
                "count": keys,
                "resting": len(rests.resting),
                "longest_rest_seconds": max(rests.resting, default=0.0),
                "passthrough": standing.passthrough,
            },
            "connections": rests.connections,
        }

    def _services(self, providers: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
        states = {f"{name}_api": each["state"] for name, each in providers.items()}
        return (
            {"openrouter_api": _UNKNOWN}
            | states
            | {
                "instructor": "not used",
                "validation": "enabled",
                "multi_modal": "enabled",
                "batch_processing": "enabled" if self._batches() else "disabled",
                "prompt_caching": "enabled" if self._inside.has_link("cache") else "disabled",
            }
        )

    def _configuration(self) -> dict[str, object]:
        inside = self._inside
        mapping: dict[str, str | None] = {"big": None, "small": None}
        for owner, name, targets in inside.aliases():
            mapping[name] = ":".join(inside.place(targets[0], owner))
        return {
            "instructor_enabled": False,
            "debug_enabled": inside.site.config.log.level == "debug",
            "multi_modal_enabled": True,
            "batch_processing_enabled": self._batches(),
            "prompt_caching_enabled": inside.has_link("cache"),
            "model_mapping": mapping,
        }

    def _profiles(self) -> dict[str, object]:
        config = self._inside.site.config
        names = list(config.profiles)
        return {
            "total": len(names),
            "names": names,
            "default": config.routing.default_profile or None,
        }

    def _batches(self) -> bool:
        return any(path.endswith("/messages/batch") for path in self._inside.paths)

    async def _improvements(self, done: Done) -> dict[str, str]:
        """What batches and hits have saved of the time that the same calls take without them."""
        cache = next((link for link in self._inside.links if isinstance(link, Cached)), None)
        figures = await whole(cache, self._inside.peers) if cache is not None else None
        cached = improvement(figures.cached, figures.uncached) if figures is not None else None
        return {
            "batch_processing_improvement": improvement(*done.batched) or conformance.NOT_MEASURED,
            "cache_performance_improvement": cached or conformance.NOT_MEASURED,
        }


def _measured(done: Done, now: Now) -> dict[str, object]:
    total = Tally()
    for _, _, tally in done.tallies:
        total.add(tally)
    calls = total.calls
    return {
        "calls": calls,
        "errors": total.errors,
        "in_flight": now.in_flight,
        "average_ms": round(total.seconds / calls * 1e3, 2) if calls else None,
        "since": timestamp(done.since),
    }


def _judged(tally: Tally) -> str:
    """What a provider's calls have shown of it."""
    if tally.last_failure > tally.last_success:
        return "failing"
    return "healthy" if tally.last_success else "not called yet"


def _account(provider: Provider) -> dict[str, object]:
    """What kind of account a provider is, its key only as the start of its hash."""
    standing = provider.standing()
    spoken = [dialect.name for dialect in provider.dialects]
    hashes = [f"sha256:{each}" for each in standing.key_hashes]
    own = "!PASSTHRU" if standing.passthrough else None
    account: dict[str, object] = {
        "api_format": FORMATS.get(spoken[0], spoken[0]) if spoken else None,
        "base_url": standing.base_url or None,
        "api_key_hash": hashes[0] if hashes else own,
    }
    if len(hashes) > 1:
        account["api_key_hashes"] = hashes
    return account
