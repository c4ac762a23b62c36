from typing import Any

import msgspec
import pytest

from gateway.catalogue.entries import (
    CatalogueModel,
    ModelEntry,
    parse_model_list,
    read_entries,
    write_anthropic_model,
    write_openai_model,
)


@pytest.mark.parametrize(
    ("item", "entry"),
    [
        ({"id": "a", "created": 5, "owned_by": "o"}, ("a", 5, "o", None, None)),
        ({"id": "a", "created": True}, ("a", 0, "", None, None)),
        ({"id": "a", "created_at": "2026-01-01T00:00:00Z"}, ("a", 1767225600, "", None, None)),
        ({"id": "a", "created_at": "soon"}, ("a", 0, "", None, None)),
        ({"id": "a", "created": 1e300}, ("a", 0, "", None, None)),
        ({"id": "a", "context_window": 8, "max_completion_tokens": 4}, ("a", 0, "", 8, 4)),
        ({"id": "a", "max_model_len": "8"}, ("a", 0, "", None, None)),
        (
            {"id": "a", "context_length": 8, "top_provider": {"max_completion_tokens": 4}},
            ("a", 0, "", 8, 4),
        ),
        ({"name": "models/g", "inputTokenLimit": 9, "outputTokenLimit": 3}, ("g", 0, "", 9, 3)),
    ],
)
def test_each_vendors_words_are_understood(item: dict[str, Any], entry: Any) -> None:
    (found,) = read_entries({"data": [item]})
    assert (found.id, found.created, found.owner, found.context, found.output) == entry


@pytest.mark.parametrize("data", [[], {"data": []}, {"models": []}, [1, {}, {"id": ""}, {"id": 7}]])
def test_what_has_no_id_is_left_out(data: Any) -> None:
    assert read_entries(data) == []


@pytest.mark.parametrize("body", [b"", b"7", b"{}", b'{"data":7}', b"<html>", b"\xff", b"[" * 9999])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        parse_model_list(body)


def test_each_form_keeps_what_the_upstream_adds_in_that_form() -> None:
    theirs = {"id": "a", "object": "model", "pricing": {"prompt": "1"}}
    model = CatalogueModel(id="up:a", provider="up", entry=read_entries([theirs])[0])
    assert write_openai_model(model)["pricing"] == {"prompt": "1"}
    assert write_openai_model(model)["id"] == "up:a"
    assert "pricing" not in write_anthropic_model(model)
    assert write_anthropic_model(model)["display_name"] == "a"


def test_an_alias_names_what_it_stands_for() -> None:
    model = CatalogueModel(
        id="fast", provider="up", entry=ModelEntry("fast"), alias_for=["up:a", "other:b"]
    )
    assert write_openai_model(model)["alias_for"] == ["up:a", "other:b"]
    assert write_anthropic_model(model)["display_name"] == "fast (up:a, other:b)"
