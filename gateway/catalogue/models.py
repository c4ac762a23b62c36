"""`GET /v1/models` and `GET /v1/models/{id}`: the models of every provider, and the aliases.

Each id works as a model name of a call as it stands: models of the default provider are plain, the
others say `provider:model`, and where an alias would take that, `!provider:model`.
"""

from collections.abc import Iterator, Mapping
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
from gateway.edge.pagination import PageRequest, page_members
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.reply import Reply
from gateway.view import GatewayView

LIST_FORMATS = ("anthropic", "openai", "raw")
MAX_PAGE_SIZE = 1000
"""Most models of one page."""
_PAGE_PARAMS = ("limit", "after_id", "before_id")
_MAX_CACHED_NAMES = 10_000


class ModelsApi:
    """The catalogue's endpoints."""

    def __init__(self, view: GatewayView, lists: ModelLists) -> None:
        self._view = view
        self._catalogue = lists
        self._names: dict[tuple[str, str], str] = {}

    async def list_models(self, ask: ApiRequest) -> Reply:
        """The models of all providers, and the aliases."""
        form, only = self._parse_format(ask), self._parse_provider(ask)
        page = PageRequest.from_query(ask, MAX_PAGE_SIZE, after="after_id", before="before_id")
        lists = await self._fetch_lists(ask, only)
        headers = make_list_warnings(lists)
        if form == "raw":
            return json_reply(self._build_raw(lists, only), headers=headers)
        models, has_more = page.cut(list(self._iter_models(lists, only)), get_id)
        cursors = page_members([each.id for each in models], has_more)
        shown = [
            write_anthropic_model(each) if form == "anthropic" else write_openai_model(each)
            for each in models
        ]
        body: dict[str, Any] = {"data": shown, "object": "list"}
        if form == "anthropic":
            body = {"data": shown} | cursors
        elif not ask.query.keys().isdisjoint(_PAGE_PARAMS):
            body |= cursors
        return json_reply(body, headers=headers)

    async def get_model(self, ask: ApiRequest) -> Reply:
        """One model by its id, with or without the provider's prefix."""
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
        """The requested provider, or "" for all. Raises NotFound for an unknown one."""
        name = ask.get_header(b"provider") or ask.query.get("provider", "")
        check_provider(self._view, name)
        return name

    async def _fetch_lists(self, ask: ApiRequest, only: str) -> Mapping[str, ModelListState]:
        """The lists to show. Raises the error of a requested provider without a list."""
        names = [only] if only else list(self._view.runtime.providers)
        credential, refresh = ask.caller.credential, ask.parse_flag("refresh")
        lists = await self._catalogue.get_lists(names, credential, refresh=refresh)
        held = lists.get(only)
        if held is not None and held.models is None and held.error is not None:
            raise held.error
        return lists

    def _build_raw(self, lists: Mapping[str, ModelListState], only: str) -> object:
        """The upstream's own answer; by provider if several were asked."""
        if only:
            return lists[only].models or {"object": "list", "data": []}
        return {
            "object": "list",
            "providers": {name: held.models for name, held in lists.items() if held.models},
        }

    def _iter_models(
        self, lists: Mapping[str, ModelListState], only: str
    ) -> Iterator[CatalogueModel]:
        """Each model once: those of the lists, those in `model_ids`, then the aliases."""
        seen: set[str] = set()
        for name, held in lists.items():
            listed = [] if held.models is None else read_entries(held.models)
            named = self._view.runtime.providers[name].model_ids
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
        """The entry, with missing limits filled in from the capability table."""
        if entry.context is not None and entry.output is not None:
            return entry
        known = self._view.runtime.providers[provider].capability(model)
        return msgspec.structs.replace(
            entry,
            context=entry.context or known.context,
            output=entry.output or known.max_output,
        )


def get_id(model: CatalogueModel) -> str:
    """The id of a model in the list."""
    return model.id


def check_provider(view: GatewayView, name: str) -> None:
    """Raises NotFound if a name is given and no provider has it."""
    if name and name not in view.runtime.providers:
        known = ", ".join(sorted(view.runtime.providers))
        message = f'there is no provider "{name[:100]}"; configured providers: {known}'
        raise NotFound(message, code="provider_not_found", param="provider")


def make_list_warnings(lists: Mapping[str, ModelListState]) -> Headers:
    """The warning header that names stale and missing lists."""
    said = [
        f"{name}:{'missing' if held.models is None else 'stale'}"
        for name, held in lists.items()
        if held.error is not None and not held.is_fresh and not _is_missing_key(held.error)
    ]
    return [(b"x-gateway-warnings", ", ".join(said)[:2000].encode())] if said else []


def _is_missing_key(error: GatewayError) -> bool:
    return error.status == 401  # a passthrough provider, asked without a client's key
