"""What this program calls itself."""

import importlib.metadata
import re

import pytest

from gateway.version import version


def test_a_checkout_says_the_version_of_its_project(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    version.cache_clear()
    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", version())
    version.cache_clear()


def test_an_installed_package_says_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    version.cache_clear()
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "9.9.9")
    assert version() == "9.9.9"
    version.cache_clear()
