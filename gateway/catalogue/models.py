"""`GET /v1/models` and `GET /v1/models/{id}`: what every provider lists, and the aliases.

Each id works as a model name of a call as it stands: models of the default provider are plain, the
others say `provider:model`, and where an alias would take that, `!provider:model`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gateway.call import Headers
from gateway.catalogue.entries import (
    CatalogueModel,
    ModelEntry,
    read_entries,
    write_anthropic_model,
    write_openai_model,
)
from gateway.catalogue.lists import ModelLists, ModelListState
from gateway.edge.operation import ApiRequest, is_messages_client, json_reply
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.reply import Reply
from gateway.view import GatewayView

LIST_FORMATS = ("anthropic", "openai", "raw")
MAX_PAGE_SIZE = 1000
"""Most models of one page."""
_MAX_CACHED_NAMES = 10_000


class ModelsApi:
    """The catalogue's endpoints."""

    def __init__(self, view: GatewayView, lists: ModelLists) -> None:
        self._view = view
        self._catalogue = lists
        self._names: dict[tuple[str, str], str] = {}

    async def list_models(self, ask: ApiRequest) -> Reply:
        """The list, in the form and of the provider that were asked for."""
        form, only = self._parse_format(ask), self._parse_provider(ask)
        page = _PageRequest.from_request(ask)
        lists = await self._fetch_lists(ask, only)
        headers = make_list_warnings(lists)
        if form == "raw":
            return json_reply(self._build_raw(lists, only), headers=headers)
        models = page.cut_page(list(self._iter_models(lists, only)))
        shown = [
            write_anthropic_model(each) if form == "anthropic" else write_openai_model(each)
            for each in models
        ]
        body: dict[str, Any] = {"data": shown, "object": "list"}
        if form == "anthropic":
            body = {"data": shown} | page.build_cursors(models)
        elif page.is_requested:
            body |= page.build_cursors(models)
        return json_reply(body, headers=headers)

    async def get_model(self, ask: ApiRequest) -> Reply:
        """One model of the list by its id, with or without its provider's name before it."""
        form, ident = self._parse_format(ask), ask.path_params["id"]
        lists = await self._fetch_lists(ask, self._parse_provider(ask))
        for model in self._iter_models(lists, ""):
            if ident in (model.id, f"{model.provider}:{model.entry.id}"):
                shown = (
                    write_anthropic_model(model)
                    if form == "anthropic"
                    else write_openai_model(model)
                )
                return json_reply(shown, headers=make_list_warnings(lists))
        message = f'there is no model "{ident[:200]}"; GET /v1/models lists those there are'
        raise NotFound(message, code="model_not_found", param="model")

    def _parse_format(self, ask: ApiRequest) -> str:
        form = ask.query.get("format", "")
        if form and form not in LIST_FORMATS:
            message = f'format must be one of {", ".join(LIST_FORMATS)}, not "{form[:50]}"'
            raise InvalidRequest(message, param="format")
        return form or ("anthropic" if is_messages_client(ask.headers) else "openai")

    def _parse_provider(self, ask: ApiRequest) -> str:
        """The provider asked for, or "" for all. NotFound for one that is not here."""
        name = ask.get_header(b"provider") or ask.query.get("provider", "")
        check_provider(self._view, name)
        return name

    async def _fetch_lists(self, ask: ApiRequest, only: str) -> Mapping[str, ModelListState]:
        """The lists to show. Raises the fault of a provider asked for of which nothing is known."""
        names = [only] if only else list(self._view.runtime.providers)
        credential, refresh = ask.caller.credential, ask.parse_flag("refresh")
        lists = await self._catalogue.get_lists(names, credential, refresh=refresh)
        held = lists.get(only)
        if held is not None and held.models is None and held.error is not None:
            raise held.error
        return lists

    def _build_raw(self, lists: Mapping[str, ModelListState], only: str) -> object:
        """The upstream's own answer; by provider where several were asked."""
        if only:
            return lists[only].models or {"object": "list", "data": []}
        return {
            "object": "list",
            "providers": {name: held.models for name, held in lists.items() if held.models},
        }

    def _iter_models(
        self, lists: Mapping[str, ModelListState], only: str
    ) -> Iterator[CatalogueModel]:
        """Each model once: those of the lists, those the operator names, then the aliases."""
        seen: set[str] = set()
        for name, held in lists.items():
            listed = [] if held.models is None else read_entries(held.models)
            named = getattr(self._view.runtime.providers[name], "model_ids", [])
            for entry in [*listed, *(ModelEntry(ident) for ident in named)]:
                ident = self._get_name(name, entry.id)
                if ident not in seen:
                    seen.add(ident)
                    yield CatalogueModel(
                        id=ident, provider=name, entry=self._fill_limits(name, entry.id, entry)
                    )
        for owner, alias, targets in self._view.iter_aliases():
            provider, model = self._view.split_target(targets[0], owner)
            if only not in ("", provider) or provider not in self._view.runtime.providers:
                continue
            ident = f"{owner}:{alias}" if alias in seen and owner else alias
            if ident not in seen:
                seen.add(ident)
                entry = self._fill_limits(provider, model, ModelEntry(ident))
                full = [":".join(self._view.split_target(target, owner)) for target in targets]
                yield CatalogueModel(id=ident, provider=provider, entry=entry, alias_for=full)

    def _get_name(self, provider: str, model: str) -> str:
        found = self._names.get((provider, model))
        if found is None:
            if len(self._names) > _MAX_CACHED_NAMES:
                self._names.clear()
            found = self._names[provider, model] = self._view.get_shortest_name(provider, model)
        return found

    def _fill_limits(self, provider: str, model: str, entry: ModelEntry) -> ModelEntry:
        """The entry with the limits that the gateway's own table knows."""
        if entry.context is not None and entry.output is not None:
            return entry
        known = self._view.runtime.providers[provider].capability(model)
        return msgspec.structs.replace(
            entry,
            context=entry.context or known.context,
            output=entry.output or known.max_output,
        )


def check_provider(view: GatewayView, name: str) -> None:
    """NotFound where a name is given that no provider has."""
    if name and name not in view.runtime.providers:
        known = ", ".join(sorted(view.runtime.providers))
        message = f'there is no provider "{name[:100]}"; configured providers: {known}'
        raise NotFound(message, code="provider_not_found", param="provider")


class _PageRequest(msgspec.Struct):
    """Which part of a list was asked for."""

    limit: int | None
    after: str | None
    before: str | None
    has_more: bool = False

    @classmethod
    def from_request(cls, ask: ApiRequest) -> "_PageRequest":
        query = ask.query
        return cls(
            ask.parse_number("limit", 1, MAX_PAGE_SIZE),
            query.get("after_id"),
            query.get("before_id"),
        )

    @property
    def is_requested(self) -> bool:
        return self.limit is not None or self.after is not None or self.before is not None

    def cut_page(self, models: list[CatalogueModel]) -> list[CatalogueModel]:
        """The page; sets whether there are more beyond it."""
        if self.after is not None:
            models = models[_get_index(models, self.after, "after_id") + 1 :]
        if self.before is not None:
            models = models[: _get_index(models, self.before, "before_id")]
        limit = len(models) if self.limit is None else self.limit
        self.has_more = len(models) > limit
        if self.before is not None and self.after is None:
            return models[max(0, len(models) - limit) :]
        return models[:limit]

    def build_cursors(self, models: Sequence[CatalogueModel]) -> dict[str, Any]:
        return {
            "has_more": self.has_more,
            "first_id": models[0].id if models else None,
            "last_id": models[-1].id if models else None,
        }


def _get_index(models: list[CatalogueModel], ident: str, param: str) -> int:
    for place, model in enumerate(models):
        if model.id == ident:
            return place
    raise InvalidRequest(f'{param}: there is no model "{ident[:200]}"', param=param)


def make_list_warnings(lists: Mapping[str, ModelListState]) -> Headers:
    """A header that says which lists are old or missing."""
    said = [
        f"{name}:{'missing' if held.models is None else 'stale'}"
        for name, held in lists.items()
        if held.error is not None and not held.is_fresh and not _is_missing_key(held.error)
    ]
    return [(b"x-gateway-warnings", ", ".join(said)[:2000].encode())] if said else []


def _is_missing_key(error: GatewayError) -> bool:
    return error.status == 401  # a provider of the clients' own keys, asked without one
