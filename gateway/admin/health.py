"""`GET /health` for monitors, `GET /health/detailed` for operators: what was measured, only that.

No upstream is asked: how a provider is, its last calls have shown.
"""

from collections.abc import Mapping

from gateway.admin import conformance
from gateway.admin.workers import AllWorkers, KeyCooldown, WorkerState
from gateway.admin.yaml import json_or_yaml_reply
from gateway.api.cache import collect_figures, render_improvement
from gateway.edge.operation import ApiRequest, json_reply
from gateway.plugin import Provider
from gateway.reply import Reply
from gateway.roles import AnswerCache, format_timestamp
from gateway.secret import PASSTHROUGH
from gateway.telemetry.shares import CallTotals
from gateway.telemetry.totals import Counters
from gateway.version import version
from gateway.view import GatewayView

API_FORMATS = {"chat": "openai", "messages": "anthropic"}
"""What a dialect is called where a provider's is told."""
_NOT_CONFIGURED = "not configured"


class HealthApi:
    """The health endpoints."""

    def __init__(self, view: GatewayView, workers: AllWorkers) -> None:
        self._view = view
        self._workers = workers
        self._version = version()
        conformance.read_overall()  # read now: no file is read while calls are served

    async def get_health(self, ask: ApiRequest) -> Reply:
        """Whether the gateway serves, and what it is set up with; nothing secret."""
        view = self._view
        done, now = await self._workers.sum_totals(), await self._workers.collect_state()
        data = {
            "status": self._get_status(done, now),
            "timestamp": format_timestamp(),
            "api_key_valid": self._is_key_valid(now),
            "client_api_key_validation": len(view.callers) > 0,
            "default_provider": view.default_provider,
            "providers": {
                name: _describe_account(provider)
                for name, provider in view.runtime.providers.items()
            },
        }
        return json_or_yaml_reply(ask, data)

    async def get_detailed_health(self, ask: ApiRequest) -> Reply:
        """The state of every part, as measured in all workers."""
        view = self._view
        config = view.runtime.config
        done, now = await self._workers.sum_totals(), await self._workers.collect_state()
        providers = {
            name: self._describe_provider(name, done, now) for name in view.runtime.providers
        }
        data = {
            "status": self._get_status(done, now),
            "timestamp": format_timestamp(),
            "version": self._version,
            "environment": config.source.env.get("ENVIRONMENT", "unspecified"),
            "services": self._describe_services(providers),
            "configuration": self._describe_configuration(),
            "api_compatibility": conformance.read_compatibility(),
            "enhancement_phases": conformance.read_phases(),
            "performance_metrics": conformance.read_test_figures()
            | await self._measure_improvements(done)
            | _summarize_calls(done, now),
            "workers": {"count": self._workers.count, "answered": now.workers},
            "providers": providers,
            "batches": await view.batches.get_status() if view.batches else {"engine": "off"},
            "profiles": self._describe_profiles(),
        }
        return json_reply(data)

    def _is_key_valid(self, now: WorkerState) -> bool:
        """Whether the default provider has what it needs, and its upstream has not refused it."""
        default = self._view.default_provider
        return default in self._view.runtime.providers and not now.rests[default].refused

    def _get_status(self, done: CallTotals, now: WorkerState) -> str:
        if self._view.edge.draining:
            return "draining"
        states = [
            self._describe_provider(name, done, now)["state"]
            for name in self._view.runtime.providers
        ]
        # One provider that works is a gateway that works.
        return "degraded" if states and all(each == "failing" for each in states) else "healthy"

    def _describe_provider(
        self, name: str, done: CallTotals, now: WorkerState
    ) -> dict[str, object]:
        tally, rests = done.sum_provider(name), now.rests.get(name, KeyCooldown())
        standing = self._view.runtime.providers[name].status()
        keys = len(standing.key_hashes)
        return {
            "state": "failing" if rests.refused else _judge_provider(tally),
            "calls": tally.calls,
            "errors": tally.errors,
            "last_success": format_timestamp(tally.last_success) if tally.last_success else None,
            "last_failure": format_timestamp(tally.last_failure) if tally.last_failure else None,
            "last_error": tally.last_error or None,
            "keys": {
                "count": keys,
                "resting": len(rests.resting),
                "longest_rest_seconds": max(rests.resting, default=0.0),
                "passthrough": standing.passthrough,
            },
            "connections": rests.connections,
        }

    def _describe_services(
        self, providers: Mapping[str, Mapping[str, object]]
    ) -> dict[str, object]:
        states = {f"{name}_api": each["state"] for name, each in providers.items()}
        return (
            {"openrouter_api": _NOT_CONFIGURED}
            | states
            | {
                "instructor": "not used",
                "validation": "enabled",
                "multi_modal": "enabled",
                "batch_processing": "enabled" if self._has_batches() else "disabled",
                "prompt_caching": "enabled" if self._view.has_link("cache") else "disabled",
            }
        )

    def _describe_configuration(self) -> dict[str, object]:
        view = self._view
        mapping: dict[str, str | None] = {"big": None, "small": None}
        for owner, name, targets in view.iter_aliases():
            mapping[name] = ":".join(view.split_target(targets[0], owner))
        return {
            "instructor_enabled": False,
            "debug_enabled": view.runtime.config.log.level == "debug",
            "multi_modal_enabled": True,
            "batch_processing_enabled": self._has_batches(),
            "prompt_caching_enabled": view.has_link("cache"),
            "model_mapping": mapping,
        }

    def _describe_profiles(self) -> dict[str, object]:
        config = self._view.runtime.config
        names = list(config.profiles)
        return {
            "total": len(names),
            "names": names,
            "default": config.routing.default_profile or None,
        }

    def _has_batches(self) -> bool:
        return any(path.endswith("/messages/batch") for path in self._view.paths)

    async def _measure_improvements(self, done: CallTotals) -> dict[str, str]:
        """What batches and hits have saved of the time that the same calls take without them."""
        cache = next((link for link in self._view.links if isinstance(link, AnswerCache)), None)
        figures = await collect_figures(cache, self._view.peers) if cache is not None else None
        cached = (
            render_improvement(figures.cached, figures.uncached) if figures is not None else None
        )
        return {
            "batch_processing_improvement": render_improvement(*done.batched)
            or conformance.NOT_MEASURED,
            "cache_performance_improvement": cached or conformance.NOT_MEASURED,
        }


def _summarize_calls(done: CallTotals, now: WorkerState) -> dict[str, object]:
    total = Counters()
    for _, _, tally in done.tallies:
        total.add(tally)
    calls = total.calls
    return {
        "calls": calls,
        "errors": total.errors,
        "in_flight": now.in_flight,
        "average_ms": round(total.seconds / calls * 1e3, 2) if calls else None,
        "since": format_timestamp(done.since),
    }


def _judge_provider(tally: Counters) -> str:
    """What a provider's calls have shown of it."""
    if tally.last_failure > tally.last_success:
        return "failing"
    return "healthy" if tally.last_success else "not called yet"


def _describe_account(provider: Provider) -> dict[str, object]:
    """What kind of account a provider is, its key only as the start of its hash."""
    standing = provider.status()
    spoken = [dialect.name for dialect in provider.dialects]
    hashes = [f"sha256:{each}" for each in standing.key_hashes]
    own = PASSTHROUGH if standing.passthrough else None
    account: dict[str, object] = {
        "api_format": API_FORMATS.get(spoken[0], spoken[0]) if spoken else None,
        "base_url": standing.base_url or None,
        "api_key_hash": hashes[0] if hashes else own,
    }
    if len(hashes) > 1:
        account["api_key_hashes"] = hashes
    return account
