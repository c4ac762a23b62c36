"""docs/architecture.md names files and folders that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PLACES = sorted(set(re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py|\.toml|\.md)?)`", PAGE)))
FOLDERS = sorted(
    each.name for each in (ROOT / "gateway").iterdir() if (each / "__init__.py").exists()
)


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_it_names_is_there(place: str) -> None:
    assert (ROOT / place).exists() or (ROOT / "gateway" / place).exists()


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_of_the_core_is_in_it(folder: str) -> None:
    assert f"`gateway/{folder}`" in PAGE
