from pathlib import Path

import pytest

from gateway.config.folders import find_folder


@pytest.mark.parametrize(
    ("env", "given", "folder"),
    [
        ({}, "", None),
        ({"HOME": "/h"}, "", "/h/.cache/interlingua/models"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "", "/c/interlingua/models"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "", "/h/.cache/interlingua/models"),
        ({"HOME": "/h", "STATE_DIRECTORY": "/s:/t"}, "", "/s/models"),
        ({"HOME": "/h", "STATE_DIRECTORY": "/s"}, "/own", "/own/models"),
    ],
)
def test_where_lists_are_kept(env: dict[str, str], given: str, folder: str | None) -> None:
    assert find_folder(env, given, "XDG_CACHE_HOME", "models") == (Path(folder) if folder else None)


def test_state_has_a_folder_of_its_own() -> None:
    env = {"HOME": "/h"}
    assert find_folder(env, "", "XDG_STATE_HOME", "x") == Path("/h/.local/state/interlingua/x")
