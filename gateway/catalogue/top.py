"""`GET /top-models`: models worth a look. `GET /v1/aliases`, `GET /profiles`: names for models.

The list ships with the gateway, or is the one of a configured OpenRouter, newest model first.
"""

import importlib.resources
import tomllib
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from gateway.catalogue.entries import entries
from gateway.catalogue.lists import Held, Lists
from gateway.config.decode import join
from gateway.config.vandamme import FILE
from gateway.edge.operation import Ask, say
from gateway.errors import GatewayError
from gateway.inside import Inside
from gateway.reply import Reply
from gateway.roles import timestamp

MOST = 50
_DEFAULT = 10
_log = structlog.get_logger("interlingua")


class Top(Struct, kw_only=True):
    """One model; prices are US dollars for a million tokens."""

    name: str
    provider: str
    sub_provider: str
    ranking: int = 0
    category: str
    context_window: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    cache_read_price: float | None = None


class Ranked(Struct):
    """A list of models, best first, and when it was made."""

    updated: str
    models: list[Top]


class TopModels:
    """The endpoints that suggest and name models."""

    def __init__(self, inside: Inside, lists: Lists) -> None:
        self._inside = inside
        self._lists = lists
        self._source = inside.site.config.catalogue.top_models
        shipped()  # read now: no file is read while calls are served
        providers = inside.site.providers.items()
        self._router = next((n for n, each in providers if getattr(each, "slash_ids", False)), "")
        if self._source == "openrouter" and not self._router:
            why = 'no provider of use "openrouter" is configured'
            _log.warning("top_models_manual", reason=why)
            self._source = "manual"

    async def top(self, ask: Ask) -> Reply:
        """The list, cut as asked for."""
        limit = ask.number("limit", 1, MOST) or _DEFAULT
        refresh = ask.flag("refresh")
        held = Held()
        if self._source == "openrouter":
            held = (await self._lists.get([self._router], refresh=refresh))[self._router]
            if held.models is None and held.error is not None:
                raise held.error
        ranked = self._ranked(held)
        wanted = ask.query.get("provider", "").lower()
        models = [
            each
            for each in ranked.models
            if wanted in ("", each.provider.lower(), each.sub_provider.lower())
        ][:limit]
        body: dict[str, Any] = {
            "object": "top_models",
            "source": self._source,
            "last_updated": ranked.updated,
            "providers": list(dict.fromkeys(each.provider for each in models)),
            "models": models,
            "suggested_aliases": suggested(models),
        }
        if ask.flag("include_cache_info"):
            body["cache"] = self._cache_info(held)
        return say(body)

    async def aliases(self, ask: Ask) -> Reply:
        """Every alias by provider, and suggestions; no upstream is asked."""
        inside = self._inside
        grouped: dict[str, dict[str, str]] = {}
        fallbacks: dict[str, list[str]] = {}
        for owner, name, targets in inside.aliases():
            provider, model = inside.place(targets[0], owner)
            # Below the provider it is asked of; a target elsewhere is named in full.
            grouped.setdefault(owner, {})[name] = (
                model if provider == owner else f"{provider}:{model}"
            )
            if len(targets) > 1:
                fallbacks[name] = [":".join(inside.place(each, owner)) for each in targets[1:]]
        ranked = self._ranked(self._lists.held(self._router))
        body = {
            "object": "list",
            "aliases": grouped,
            "suggested": {"default": suggested(ranked.models[:MOST])},
            "total": sum(len(each) for each in grouped.values()),
        }
        return say(body | ({"fallbacks": fallbacks} if fallbacks else {}))

    async def profiles(self, ask: Ask) -> Reply:
        """Groups of aliases by name, each with the time its calls have."""
        origins = self._inside.site.config.source.origins
        found: dict[str, dict[str, Any]] = {}
        for name, profile in self._inside.site.config.profiles.items():
            aliases = profile.aliases.items()
            found[name] = {
                "name": name,
                "timeout": profile.timeout,
                "aliases": {alias: targets[0] for alias, targets in aliases},
                "alias_count": len(aliases),
                "source": FILE if join("profiles", name) in origins else "config.toml",
            }
            if profile.max_retries is not None:
                found[name]["max_retries"] = profile.max_retries
            fallbacks = {alias: targets[1:] for alias, targets in aliases if len(targets) > 1}
            if fallbacks:
                found[name]["fallbacks"] = fallbacks
        default = self._inside.site.config.routing.default_profile
        body: dict[str, Any] = {"object": "list", "profiles": found, "total": len(found)}
        return say(body | ({"default": default} if default else {}))

    def _ranked(self, held: Held) -> Ranked:
        if self._source == "disabled":
            return Ranked(timestamp(), [])
        if self._source == "manual":
            return shipped()
        if held.models is None:
            return Ranked(timestamp(), [])
        return Ranked(timestamp(held.fetched), routed(held.models))

    def _cache_info(self, held: Held) -> dict[str, object]:
        kept = held.models is not None
        age = datetime.now(UTC).timestamp() - held.fetched
        return {
            "cached": kept,
            "fresh": held.fresh or self._source != "openrouter",
            "age_seconds": round(age, 1) if kept else None,
            "ttl_seconds": self._inside.site.config.catalogue.ttl,
            "error": held.error.message if isinstance(held.error, GatewayError) else None,
        }


@cache
def shipped() -> Ranked:
    """The list that ships with the gateway."""
    file = importlib.resources.files("gateway").joinpath("data/top_models.toml")
    ranked = msgspec.convert(tomllib.loads(file.read_text("utf-8")), Ranked)
    for place, model in enumerate(ranked.models, 1):
        model.ranking = place
    return ranked


def routed(models: object) -> list[Top]:
    """OpenRouter's list, in its own order."""
    found = []
    for place, entry in enumerate(entries(models)[:MOST], 1):
        vendor, _, _ = entry.id.partition("/")
        prices = entry.raw.get("pricing")
        prices = prices if isinstance(prices, dict) else {}
        top = Top(
            name=entry.id,
            provider="openrouter",
            sub_provider=vendor.removeprefix("~"),
            ranking=place,
            category=_category(entry.raw),
            context_window=entry.context,
            input_price=_price(prices.get("prompt")),
            output_price=_price(prices.get("completion")),
            cache_read_price=_price(prices.get("input_cache_read")),
        )
        found.append(top)
    return found


def suggested(models: list[Top]) -> dict[str, str]:
    """For each category the best model of it."""
    best: dict[str, str] = {}
    for model in models:
        best.setdefault(model.category, model.name)
    return best


def _category(raw: dict[str, Any]) -> str:
    takes = raw.get("supported_parameters")
    takes = takes if isinstance(takes, list) else []
    if "reasoning" in takes:
        return "reasoning"
    return "tools" if "tools" in takes else "chat"


def _price(text: object) -> float | None:
    """Dollars for a million tokens from dollars for one, as OpenRouter writes them."""
    try:
        price = float(str(text)) * 1e6
    except ValueError:
        return None
    return round(price, 6) if price >= 0 else None
