"""Upstreams' lists of models, read whatever their form, and said again in either client's form."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from gateway.wire.raw_json import decode

_MAX_ID_LENGTH = 256
_CONTEXT_MEMBERS = (
    "context_length", "context_window", "max_context_length", "max_model_len", "max_input_tokens",
    "inputTokenLimit", "input_token_limit",
)  # fmt: skip
_OUTPUT_MEMBERS = (
    "max_completion_tokens", "max_output_tokens", "max_tokens", "outputTokenLimit",
    "output_token_limit",
)  # fmt: skip
UNKNOWN_DATE = "1970-01-01T00:00:00Z"
"""What the Messages API says of a model whose date is not known."""


class ModelEntry(Struct):
    """One model of an upstream's list; `raw` is all that the upstream says of it."""

    id: str
    created: int = 0
    owner: str = ""
    name: str = ""
    context: int | None = None
    output: int | None = None
    raw: dict[str, Any] = {}


class CatalogueModel(Struct, kw_only=True):
    """One model of the gateway's: an upstream's, or an alias and what it stands for."""

    id: str
    provider: str
    entry: ModelEntry
    alias_for: list[str] = []


def parse_model_list(body: bytes) -> Any:
    """A list as plain data. msgspec.ValidationError where it is none."""
    data = decode(body, object)
    _require_list(data)
    return data


def read_entries(data: object) -> list[ModelEntry]:
    """The models of a list; what carries no id is left out. msgspec.ValidationError."""
    found = [_read_entry(item) for item in _require_list(data)]
    return [entry for entry in found if entry is not None]


def _require_list(data: object) -> list[object]:
    if isinstance(data, dict):
        data = data.get("data", data.get("models"))
    if not isinstance(data, list):
        raise msgspec.ValidationError("is no list of models")
    return data


def _read_entry(item: object) -> ModelEntry | None:
    if not isinstance(item, dict):
        return None
    ident = item.get("id", item.get("name"))
    if not isinstance(ident, str) or not 0 < len(ident) <= _MAX_ID_LENGTH:
        return None
    ident = ident.removeprefix("models/")
    top = item.get("top_provider")
    places = [item, top] if isinstance(top, dict) else [item]
    return ModelEntry(
        ident,
        _parse_seconds(item.get("created", item.get("created_at"))),
        _get_text(item, "owned_by"),
        _get_text(item, "display_name", "displayName", "name") or ident,
        _find_number(places, _CONTEXT_MEMBERS),
        _find_number(places, _OUTPUT_MEMBERS),
        item,
    )


def _get_text(item: dict[str, Any], *names: str) -> str:
    return next((item[name] for name in names if isinstance(item.get(name), str)), "")


def _find_number(places: list[dict[str, Any]], names: tuple[str, ...]) -> int | None:
    values = [place.get(name) for place in places for name in names]
    return next((value for value in values if type(value) is int and value > 0), None)


def _parse_seconds(value: object) -> int:
    """Seconds since 1970, or 0 where the value says nothing."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40:
        return int(value)
    if isinstance(value, str):
        try:
            return max(0, int(datetime.fromisoformat(value).timestamp()))
        except (ValueError, OverflowError):
            return 0
    return 0


def write_openai_model(model: CatalogueModel) -> dict[str, Any]:
    """A model as clients of the OpenAI API read it, with what the upstream adds."""
    entry = model.entry
    kept = entry.raw if entry.raw.get("object") == "model" else {}
    shown = kept | {
        "id": model.id,
        "object": "model",
        "created": entry.created,
        "owned_by": entry.owner or model.provider,
        "provider": model.provider,
    }
    if entry.context is not None:
        shown["context_window"] = entry.context
    if entry.output is not None:
        shown["max_output_tokens"] = entry.output
    return _add_alias_members(shown, model)


def write_anthropic_model(model: CatalogueModel) -> dict[str, Any]:
    """A model as clients of the Messages API read it, with what the upstream adds."""
    entry = model.entry
    kept = entry.raw if entry.raw.get("type") == "model" else {}
    made = datetime.fromtimestamp(entry.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = entry.name or model.id
    if model.alias_for:
        name = f"{model.id} ({', '.join(model.alias_for)})"
    defaults = {"lifecycle": "active", "created_at": made if entry.created else UNKNOWN_DATE}
    shown = defaults | kept | {"type": "model", "id": model.id, "display_name": name}
    shown["max_input_tokens"] = entry.context
    shown["max_tokens"] = entry.output
    shown["provider"] = model.provider
    return _add_alias_members(shown, model)


def _add_alias_members(shown: dict[str, Any], model: CatalogueModel) -> dict[str, Any]:
    if model.alias_for:
        shown |= {"alias": True, "alias_for": model.alias_for}
    return shown
