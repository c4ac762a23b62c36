"""[batch] of config.toml."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.batches.scheduler import get_database_url, lock_folder
from gateway.config.load import ConfigError
from gateway.config.schema import Batches
from gateway.secret import Secret


@pytest.mark.parametrize(
    ("engine", "folder", "env", "url"),
    [
        ("embedded", "/a", {}, "sqlite:////a/batches/batches.db"),
        ("embedded", "", {"STATE_DIRECTORY": "/b:/c"}, "sqlite:////b/batches/batches.db"),
        (
            "embedded", "", {"XDG_STATE_HOME": "/d"},
            "sqlite:////d/interlingua/batches/batches.db",
        ),
        (
            "embedded", "", {"HOME": "/e"},
            "sqlite:////e/.local/state/interlingua/batches/batches.db",
        ),
        ("postgres://u:p@h/n", "", {}, "postgresql+psycopg://u:p@h/n"),
        ("postgresql://u@h/n", "", {}, "postgresql+psycopg://u@h/n"),
    ],
)  # fmt: skip
def test_an_engine_is_a_url(engine: str, folder: str, env: Mapping[str, str], url: str) -> None:
    assert get_database_url(Batches(engine=Secret(engine), folder=folder), env) == url


@pytest.mark.parametrize("engine", ["on", "mysql://h/n", "postgres:", ""])
def test_another_engine_is_refused(engine: str) -> None:
    with pytest.raises(ConfigError, match=r"batch\.engine"):
        get_database_url(Batches(engine=Secret(engine)), {"HOME": "/"})


def test_without_any_place_a_folder_must_be_named() -> None:
    with pytest.raises(ConfigError, match=r"batch\.folder"):
        get_database_url(Batches(engine=Secret("embedded")), {})


def test_a_folder_is_the_users_own_and_belongs_to_one_gateway(tmp_path: Path) -> None:
    path = tmp_path / "state" / "batches" / "batches.db"
    lock = lock_folder(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(RuntimeError, match="in use by another gateway"):
        lock_folder(path)
    os.close(lock)
    os.close(lock_folder(path))
