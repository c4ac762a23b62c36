"""`GET /v1beta/models` and `/v1beta/models/{id}`: the catalogue as Gemini's clients read it."""

from typing import Any

from gateway.catalogue.entries import Model
from gateway.catalogue.models import MOST, Models, list_warnings
from gateway.edge.operation import Ask, say
from gateway.errors import InvalidRequest, NotFound
from gateway.reply import Reply

_METHODS = ["generateContent", "streamGenerateContent", "countTokens"]
_PREFIX = "models/"


class GeminiModels(Models):
    """The catalogue's endpoints for clients of the Gemini API (`ListModelsResponse`, `Model`)."""

    async def all(self, ask: Ask) -> Reply:
        """A page of the list; the token of the next one is the name of this one's last model."""
        only = self._provider(ask)
        size = ask.number("pageSize", 1, MOST) or MOST
        lists = await self._lists(ask, only)
        models = list(self._models(lists, only))
        begin = _place(models, ask.query.get("pageToken", ""))
        page = models[begin : begin + size]
        body: dict[str, Any] = {"models": [gemini_form(model) for model in page]}
        if begin + size < len(models):
            body["nextPageToken"] = page[-1].id
        return say(body, headers=list_warnings(lists))

    async def one(self, ask: Ask) -> Reply:
        """One model of the list by its id, with or without its provider's name before it."""
        ident = ask.parts["id"].removeprefix(_PREFIX)
        lists = await self._lists(ask, self._provider(ask))
        for model in self._models(lists, ""):
            if ident in (model.id, f"{model.provider}:{model.entry.id}"):
                return say(gemini_form(model), headers=list_warnings(lists))
        message = f'there is no model "{ident[:200]}"; GET /v1beta/models lists those there are'
        raise NotFound(message, code="model_not_found", param="model")


def gemini_form(model: Model) -> dict[str, Any]:
    """A model as clients of the Gemini API read it, with what the upstream adds."""
    entry = model.entry
    kept = entry.raw if "supportedGenerationMethods" in entry.raw else {}
    name = entry.name or model.id
    if model.alias_for:
        name = f"{model.id} ({', '.join(model.alias_for)})"
    shown = {"version": "", "supportedGenerationMethods": _METHODS} | kept
    shown |= {"name": _PREFIX + model.id, "displayName": name}
    if entry.context is not None:
        shown["inputTokenLimit"] = entry.context
    if entry.output is not None:
        shown["outputTokenLimit"] = entry.output
    return shown


def _place(models: list[Model], after: str) -> int:
    if not after:
        return 0
    for place, model in enumerate(models, 1):
        if model.id == after:
            return place
    raise InvalidRequest(f'pageToken: there is no model "{after[:200]}"', param="pageToken")
