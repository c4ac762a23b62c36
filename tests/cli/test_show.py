"""Options as an operator reads them."""

import tomllib
from typing import Any

import pytest
from msgspec import Struct

from gateway.capability.record import Capability
from gateway.cli.show import highlights, options, toml
from gateway.config.load import Key
from gateway.config.size import Size
from gateway.secret import Secret


class Link(Struct):
    """A link with options of all kinds."""

    token: str = "hidden"
    monkey: list[str] = []
    size: Size = Size(3)
    off: str | None = None


@pytest.mark.parametrize(
    "value", [True, 3, 1.5, 'a "quoted" \\ text\n', [1, "x"], {"a b": {"c": []}}, {}]
)
def test_a_value_is_toml(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value


def test_secrets_are_masked_wherever_they_stand() -> None:
    value = {"a": [Secret("hidden")], "b": Key(key=Secret("hidden"), name="n")}
    assert toml(value) == '{ a = ["***"], b = { key = "***", name = "n" } }'
    assert toml({"X-Api-Key": "hidden", "x-title": "t"}, "headers") == (
        '{ X-Api-Key = "***", x-title = "t" }'
    )
    assert options(Link()) == 'token = "***", monkey = [], size = 3, off = unset'


class StoreOptions(Struct):
    """A link that keeps something, in memory unless a URL says where."""

    store: Secret = Secret("memory")
    other: Secret | None = None


def test_what_nobody_has_set_is_no_secret() -> None:
    assert options(StoreOptions()) == 'store = "memory", other = unset'
    assert toml([StoreOptions()]) == '[{ store = "memory" }]'
    set_ = StoreOptions(store=Secret("redis://:hidden@host"), other=Secret("memory"))
    assert options(set_) == 'store = "***", other = "***"'


def test_highlights_are_what_differs() -> None:
    assert highlights(Capability()) == ""
    assert highlights(Capability(context=5, images=False)) == "context = 5, images = false"
