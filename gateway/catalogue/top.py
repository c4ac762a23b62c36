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

from gateway.catalogue.entries import read_entries
from gateway.catalogue.lists import ModelLists, ModelListState
from gateway.config.decode import join
from gateway.config.vandamme import FILE
from gateway.edge.operation import ApiRequest, json_reply
from gateway.errors import GatewayError
from gateway.reply import Reply
from gateway.roles import format_timestamp
from gateway.view import GatewayView

MAX_TOP_MODELS = 50
_DEFAULT_LIMIT = 10
_log = structlog.get_logger("interlingua")


class TopModel(Struct, kw_only=True):
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


class ModelRanking(Struct):
    """A list of models, best first, and when it was made."""

    updated: str
    models: list[TopModel]


class TopModelsApi:
    """The endpoints that suggest and name models."""

    def __init__(self, view: GatewayView, lists: ModelLists) -> None:
        self._view = view
        self._lists = lists
        self._source = view.runtime.config.catalogue.top_models
        load_builtin_ranking()  # read now: no file is read while calls are served
        providers = view.runtime.providers.items()
        self._openrouter_name = next(
            (n for n, each in providers if getattr(each, "slash_ids", False)), ""
        )
        if self._source == "openrouter" and not self._openrouter_name:
            why = 'no provider of use "openrouter" is configured'
            _log.warning("top_models_manual", reason=why)
            self._source = "manual"

    async def list_top(self, ask: ApiRequest) -> Reply:
        """The list, cut as asked for."""
        limit = ask.parse_number("limit", 1, MAX_TOP_MODELS) or _DEFAULT_LIMIT
        refresh = ask.parse_flag("refresh")
        held = ModelListState()
        if self._source == "openrouter":
            held = (await self._lists.get_lists([self._openrouter_name], refresh=refresh))[
                self._openrouter_name
            ]
            if held.models is None and held.error is not None:
                raise held.error
        ranked = self._get_ranking(held)
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
            "suggested_aliases": suggest_aliases(models),
        }
        if ask.parse_flag("include_cache_info"):
            body["cache"] = self._build_cache_info(held)
        return json_reply(body)

    async def list_aliases(self, ask: ApiRequest) -> Reply:
        """Every alias by provider, and suggestions; no upstream is asked."""
        view = self._view
        grouped: dict[str, dict[str, str]] = {}
        fallbacks: dict[str, list[str]] = {}
        for owner, name, targets in view.iter_aliases():
            provider, model = view.split_target(targets[0], owner)
            # Below the provider it is asked of; a target elsewhere is named in full.
            grouped.setdefault(owner, {})[name] = (
                model if provider == owner else f"{provider}:{model}"
            )
            if len(targets) > 1:
                fallbacks[name] = [":".join(view.split_target(each, owner)) for each in targets[1:]]
        ranked = self._get_ranking(self._lists.get_cached(self._openrouter_name))
        body = {
            "object": "list",
            "aliases": grouped,
            "suggested": {"default": suggest_aliases(ranked.models[:MAX_TOP_MODELS])},
            "total": sum(len(each) for each in grouped.values()),
        }
        return json_reply(body | ({"fallbacks": fallbacks} if fallbacks else {}))

    async def list_profiles(self, ask: ApiRequest) -> Reply:
        """Groups of aliases by name, each with the time its calls have."""
        source = self._view.runtime.config.source
        found: dict[str, dict[str, Any]] = {}
        for name, profile in self._view.runtime.config.profiles.items():
            aliases = profile.aliases.items()
            found[name] = {
                "name": name,
                "timeout": profile.timeout,
                "aliases": {alias: targets[0] for alias, targets in aliases},
                "alias_count": len(aliases),
                "source": "config.toml" if source.is_own(join("profiles", name)) else FILE,
            }
            if profile.max_retries is not None:
                found[name]["max_retries"] = profile.max_retries
            fallbacks = {alias: targets[1:] for alias, targets in aliases if len(targets) > 1}
            if fallbacks:
                found[name]["fallbacks"] = fallbacks
        default = self._view.runtime.config.routing.default_profile
        body: dict[str, Any] = {"object": "list", "profiles": found, "total": len(found)}
        return json_reply(body | ({"default": default} if default else {}))

    def _get_ranking(self, held: ModelListState) -> ModelRanking:
        if self._source == "disabled":
            return ModelRanking(format_timestamp(), [])
        if self._source == "manual":
            return load_builtin_ranking()
        if held.models is None:
            return ModelRanking(format_timestamp(), [])
        return ModelRanking(format_timestamp(held.fetched), read_openrouter_ranking(held.models))

    def _build_cache_info(self, held: ModelListState) -> dict[str, object]:
        kept = held.models is not None
        age = datetime.now(UTC).timestamp() - held.fetched
        return {
            "cached": kept,
            "fresh": held.is_fresh or self._source != "openrouter",
            "age_seconds": round(age, 1) if kept else None,
            "ttl_seconds": self._view.runtime.config.catalogue.ttl,
            "error": held.error.message if isinstance(held.error, GatewayError) else None,
        }


@cache
def load_builtin_ranking() -> ModelRanking:
    """The list that ships with the gateway."""
    file = importlib.resources.files("gateway").joinpath("data/top_models.toml")
    ranked = msgspec.convert(tomllib.loads(file.read_text("utf-8")), ModelRanking)
    for place, model in enumerate(ranked.models, 1):
        model.ranking = place
    return ranked


def read_openrouter_ranking(models: object) -> list[TopModel]:
    """OpenRouter's list, in its own order."""
    found = []
    for place, entry in enumerate(read_entries(models)[:MAX_TOP_MODELS], 1):
        vendor, _, _ = entry.id.partition("/")
        prices = entry.raw.get("pricing")
        prices = prices if isinstance(prices, dict) else {}
        top = TopModel(
            name=entry.id,
            provider="openrouter",
            sub_provider=vendor.removeprefix("~"),
            ranking=place,
            category=_get_category(entry.raw),
            context_window=entry.context,
            input_price=_parse_price(prices.get("prompt")),
            output_price=_parse_price(prices.get("completion")),
            cache_read_price=_parse_price(prices.get("input_cache_read")),
        )
        found.append(top)
    return found


def suggest_aliases(models: list[TopModel]) -> dict[str, str]:
    """For each category the best model of it."""
    best: dict[str, str] = {}
    for model in models:
        best.setdefault(model.category, model.name)
    return best


def _get_category(raw: dict[str, Any]) -> str:
    takes = raw.get("supported_parameters")
    takes = takes if isinstance(takes, list) else []
    if "reasoning" in takes:
        return "reasoning"
    return "tools" if "tools" in takes else "chat"


def _parse_price(text: object) -> float | None:
    """Dollars for a million tokens from dollars for one, as OpenRouter writes them."""
    try:
        price = float(str(text)) * 1e6
    except ValueError:
        return None
    return round(price, 6) if price >= 0 else None
