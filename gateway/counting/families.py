"""The shipped table of how models count: vocabulary, overheads and rule for pictures."""

import fnmatch
import importlib.resources
import re
import tomllib
from functools import cache, lru_cache
from typing import Literal

import msgspec
from msgspec import Struct

ImageRule = Literal[
    "claude", "claude-large", "tiles", "patches", "gemini", "gemini-tiles", "unknown"
]


class ModelFamily(Struct, frozen=True, forbid_unknown_fields=True):
    """How a family of models counts its input."""

    match: str
    vocabulary: str = "o200k_base"
    factor: float = 1.0
    base: int = 3
    turn: int = 4
    system: int = 0
    tools: int = 0
    images: ImageRule = "unknown"


class _FamilyTable(Struct, forbid_unknown_fields=True):
    family: list[ModelFamily]


@lru_cache(maxsize=4096)
def get_family(model: str) -> ModelFamily:
    """The family of a model, by its upstream's name for it."""
    name = model.rpartition("/")[2]
    return next(found for pattern, found in load_families() if pattern.fullmatch(name))


@cache
def load_families() -> list[tuple[re.Pattern[str], ModelFamily]]:
    """The table, most special entry first; the first call reads it from disk."""
    text = importlib.resources.files("gateway").joinpath("data/counting.toml").read_text("utf-8")
    table = msgspec.convert(tomllib.loads(text), _FamilyTable)
    return [(_compile_globs(entry.match), entry) for entry in table.family]


def _compile_globs(globs: str) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, globs.split("|"))), re.IGNORECASE)
