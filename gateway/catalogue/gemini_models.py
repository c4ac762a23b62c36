"""`GET /v1beta/models` and `/v1beta/models/{id}`: the catalogue as Gemini's clients read it."""

from typing import Any

from gateway.catalogue.entries import CatalogueModel
from gateway.catalogue.models import MAX_PAGE_SIZE, ModelsApi, make_list_warnings
from gateway.edge.operation import ApiRequest, json_reply
from gateway.errors import InvalidRequest, NotFound
from gateway.reply import Reply

_GENERATION_METHODS = ["generateContent", "streamGenerateContent", "countTokens"]
_RESOURCE_PREFIX = "models/"


class GeminiModelsApi(ModelsApi):
    """The catalogue's endpoints for clients of the Gemini API (`ListModelsResponse`, `Model`)."""

    async def list_models(self, ask: ApiRequest) -> Reply:
        """A page of the list; the token of the next one is the name of this one's last model."""
        only = self._parse_provider(ask)
        size = ask.parse_number("pageSize", 1, MAX_PAGE_SIZE) or MAX_PAGE_SIZE
        lists = await self._fetch_lists(ask, only)
        models = list(self._iter_models(lists, only))
        begin = _get_start(models, ask.query.get("pageToken", ""))
        page = models[begin : begin + size]
        body: dict[str, Any] = {"models": [write_gemini_model(model) for model in page]}
        if begin + size < len(models):
            body["nextPageToken"] = page[-1].id
        return json_reply(body, headers=make_list_warnings(lists))

    async def get_model(self, ask: ApiRequest) -> Reply:
        """One model of the list by its id, with or without its provider's name before it."""
        ident = ask.path_params["id"].removeprefix(_RESOURCE_PREFIX)
        lists = await self._fetch_lists(ask, self._parse_provider(ask))
        for model in self._iter_models(lists, ""):
            if ident in (model.id, f"{model.provider}:{model.entry.id}"):
                return json_reply(write_gemini_model(model), headers=make_list_warnings(lists))
        message = f'there is no model "{ident[:200]}"; GET /v1beta/models lists those there are'
        raise NotFound(message, code="model_not_found", param="model")


def write_gemini_model(model: CatalogueModel) -> dict[str, Any]:
    """A model as clients of the Gemini API read it, with what the upstream adds."""
    entry = model.entry
    kept = entry.raw if "supportedGenerationMethods" in entry.raw else {}
    name = entry.name or model.id
    if model.alias_for:
        name = f"{model.id} ({', '.join(model.alias_for)})"
    shown = {"version": "", "supportedGenerationMethods": _GENERATION_METHODS} | kept
    shown |= {"name": _RESOURCE_PREFIX + model.id, "displayName": name}
    if entry.context is not None:
        shown["inputTokenLimit"] = entry.context
    if entry.output is not None:
        shown["outputTokenLimit"] = entry.output
    return shown


def _get_start(models: list[CatalogueModel], after: str) -> int:
    if not after:
        return 0
    for place, model in enumerate(models, 1):
        if model.id == after:
            return place
    raise InvalidRequest(f'pageToken: there is no model "{after[:200]}"', param="pageToken")
