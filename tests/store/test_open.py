"""Which store an option names."""

from collections.abc import Callable

import pytest

from gateway.config.faults import ConfigError
from gateway.secret import Secret
from gateway.store.open import open_store


def raising(fault: Exception) -> Callable[[str], str]:
    def remote(url: str) -> str:
        raise fault

    return remote


@pytest.mark.parametrize(
    ("url", "store"),
    [("memory", "memory"), ("redis://h", "at redis://h"), ("unix:///s", "at unix:///s")],
)
def test_a_url_leads_to_its_store(url: str, store: str) -> None:
    assert open_store(Secret(url), lambda: "memory", lambda url: f"at {url}") == store


@pytest.mark.parametrize(
    ("url", "fault", "words"),
    [
        ("http://h", AssertionError("never asked"), "is neither"),
        ("redis://h", ModuleNotFoundError(), "interlingua[redis]"),
        ("redis://:pass@h:port", ValueError("redis://:pass@h:port"), "is no URL"),
    ],
)
def test_what_leads_to_none_is_said_without_the_url(url: str, fault: Exception, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_store(Secret(url), lambda: "memory", raising(fault))
    said = str(raised.value.faults[0])
    assert words in said
    assert "pass" not in said
