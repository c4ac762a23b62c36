"""`GET /v1/models` and `GET /v1/models/{id}`: what every provider lists, and the aliases.

Each id works as a model name of a call as it stands: models of the default provider are plain, the
others say `provider:model`, and where an alias would take that, `!provider:model`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gateway.call import Headers
from gateway.catalogue.entries import Entry, Model, anthropic_form, entries, openai_form
from gateway.catalogue.lists import Held, Lists
from gateway.edge.operation import Ask, is_messages, say
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.inside import Inside
from gateway.reply import Reply

FORMATS = ("anthropic", "openai", "raw")
MOST = 1000
"""Most models of one page."""
_NAMES = 10_000


class Models:
    """The catalogue's endpoints."""

    def __init__(self, inside: Inside, lists: Lists) -> None:
        self._inside = inside
        self._catalogue = lists
        self._names: dict[tuple[str, str], str] = {}

    async def all(self, ask: Ask) -> Reply:
        """The list, in the form and of the provider that were asked for."""
        form, only = self._form(ask), self._provider(ask)
        page = _Page.of(ask)
        lists = await self._lists(ask, only)
        headers = list_warnings(lists)
        if form == "raw":
            return say(self._raw(lists, only), headers=headers)
        models = page.cut(list(self._models(lists, only)))
        shown = [
            anthropic_form(each) if form == "anthropic" else openai_form(each) for each in models
        ]
        body: dict[str, Any] = {"data": shown, "object": "list"}
        if form == "anthropic":
            body = {"data": shown} | page.ends(models)
        elif page.asked:
            body |= page.ends(models)
        return say(body, headers=headers)

    async def one(self, ask: Ask) -> Reply:
        """One model of the list by its id, with or without its provider's name before it."""
        form, ident = self._form(ask), ask.parts["id"]
        lists = await self._lists(ask, self._provider(ask))
        for model in self._models(lists, ""):
            if ident in (model.id, f"{model.provider}:{model.entry.id}"):
                shown = anthropic_form(model) if form == "anthropic" else openai_form(model)
                return say(shown, headers=list_warnings(lists))
        message = f'there is no model "{ident[:200]}"; GET /v1/models lists those there are'
        raise NotFound(message, code="model_not_found", param="model")

    def _form(self, ask: Ask) -> str:
        form = ask.query.get("format", "")
        if form and form not in FORMATS:
            message = f'format must be one of {", ".join(FORMATS)}, not "{form[:50]}"'
            raise InvalidRequest(message, param="format")
        return form or ("anthropic" if is_messages(ask.headers) else "openai")

    def _provider(self, ask: Ask) -> str:
        """The provider asked for, or "" for all. NotFound for one that is not here."""
        name = ask.header(b"provider") or ask.query.get("provider", "")
        check_provider(self._inside, name)
        return name

    async def _lists(self, ask: Ask, only: str) -> Mapping[str, Held]:
        """The lists to show. Raises the fault of a provider asked for of which nothing is known."""
        names = [only] if only else list(self._inside.site.providers)
        credential, refresh = ask.caller.credential, ask.flag("refresh")
        lists = await self._catalogue.get(names, credential, refresh=refresh)
        held = lists.get(only)
        if held is not None and held.models is None and held.error is not None:
            raise held.error
        return lists

    def _raw(self, lists: Mapping[str, Held], only: str) -> object:
        """The upstream's own answer; by provider where several were asked."""
        if only:
            return lists[only].models or {"object": "list", "data": []}
        return {
            "object": "list",
            "providers": {name: held.models for name, held in lists.items() if held.models},
        }

    def _models(self, lists: Mapping[str, Held], only: str) -> Iterator[Model]:
        """Each model once: those of the lists, those the operator names, then the aliases."""
        seen: set[str] = set()
        for name, held in lists.items():
            listed = [] if held.models is None else entries(held.models)
            named = getattr(self._inside.site.providers[name], "model_ids", [])
            for entry in [*listed, *(Entry(ident) for ident in named)]:
                ident = self._name(name, entry.id)
                if ident not in seen:
                    seen.add(ident)
                    yield Model(id=ident, provider=name, entry=self._known(name, entry.id, entry))
        for owner, alias, targets in self._inside.aliases():
            provider, model = self._inside.place(targets[0], owner)
            if only not in ("", provider) or provider not in self._inside.site.providers:
                continue
            ident = f"{owner}:{alias}" if alias in seen and owner else alias
            if ident not in seen:
                seen.add(ident)
                entry = self._known(provider, model, Entry(ident))
                full = [":".join(self._inside.place(target, owner)) for target in targets]
                yield Model(id=ident, provider=provider, entry=entry, alias_for=full)

    def _name(self, provider: str, model: str) -> str:
        found = self._names.get((provider, model))
        if found is None:
            if len(self._names) > _NAMES:
                self._names.clear()
            found = self._names[provider, model] = self._inside.name_of(provider, model)
        return found

    def _known(self, provider: str, model: str, entry: Entry) -> Entry:
        """The entry with the limits that the gateway's own table knows."""
        if entry.context is not None and entry.output is not None:
            return entry
        known = self._inside.site.providers[provider].capability(model)
        return msgspec.structs.replace(
            entry,
            context=entry.context or known.context,
            output=entry.output or known.max_output,
        )


def check_provider(inside: Inside, name: str) -> None:
    """NotFound where a name is given that no provider has."""
    if name and name not in inside.site.providers:
        known = ", ".join(sorted(inside.site.providers))
        message = f'there is no provider "{name[:100]}"; configured providers: {known}'
        raise NotFound(message, code="provider_not_found", param="provider")


class _Page(msgspec.Struct):
    """Which part of a list was asked for."""

    limit: int | None
    after: str | None
    before: str | None
    more: bool = False

    @classmethod
    def of(cls, ask: Ask) -> "_Page":
        query = ask.query
        return cls(ask.number("limit", 1, MOST), query.get("after_id"), query.get("before_id"))

    @property
    def asked(self) -> bool:
        return self.limit is not None or self.after is not None or self.before is not None

    def cut(self, models: list[Model]) -> list[Model]:
        """The page; sets whether there are more beyond it."""
        if self.after is not None:
            models = models[_place(models, self.after, "after_id") + 1 :]
        if self.before is not None:
            models = models[: _place(models, self.before, "before_id")]
        limit = len(models) if self.limit is None else self.limit
        self.more = len(models) > limit
        if self.before is not None and self.after is None:
            return models[max(0, len(models) - limit) :]
        return models[:limit]

    def ends(self, models: Sequence[Model]) -> dict[str, Any]:
        return {
            "has_more": self.more,
            "first_id": models[0].id if models else None,
            "last_id": models[-1].id if models else None,
        }


def _place(models: list[Model], ident: str, param: str) -> int:
    for place, model in enumerate(models):
        if model.id == ident:
            return place
    raise InvalidRequest(f'{param}: there is no model "{ident[:200]}"', param=param)


def list_warnings(lists: Mapping[str, Held]) -> Headers:
    """A header that says which lists are old or missing."""
    said = [
        f"{name}:{'missing' if held.models is None else 'stale'}"
        for name, held in lists.items()
        if held.error is not None and not held.fresh and not _has_none(held.error)
    ]
    return [(b"x-gateway-warnings", ", ".join(said)[:2000].encode())] if said else []


def _has_none(error: GatewayError) -> bool:
    return error.status == 401  # a provider of the clients' own keys, asked without one
