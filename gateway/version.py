"""The version of this program."""

import importlib.metadata
import tomllib
from functools import cache
from pathlib import Path


@cache
def version() -> str:
    """That of the installed package, or of the checkout it runs from."""
    try:
        return importlib.metadata.version("interlingua")
    except importlib.metadata.PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
        found = tomllib.loads(project.read_text("utf-8")) if project.exists() else {}
        return str(found.get("project", {}).get("version", "0"))
