"""A client that is not installed is not run, unless it has to be."""

import os
from pathlib import Path

import pytest

from tests.clients.install import CLIENTS, installed


def client(name: str) -> Path:
    """The folder of an installed client; skips the test where there is none."""
    if not installed(name):
        if os.environ.get("INTERLINGUA_REQUIRE_CLIENTS"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed: make clients")
    return CLIENTS / name
