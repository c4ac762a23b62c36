"""Configurations as texts, and what is said of them."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from gateway.assemble import try_assemble
from gateway.config.load import Config, load_config, read_config, with_positions

PLUGINS = Path(__file__).parent / "plugins"
SHIPPED = Path(__file__).parent.parent / "config.toml"
CLOUD = '[providers.cloud]\nuse = "acme.plugins:Cloud"\n'
LINKS = '[[middleware]]\nuse = "acme.plugins:Limit"\n'


def written(folder: Path, text: str) -> Path:
    """A config.toml with that text."""
    path = folder / "config.toml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def loaded(
    folder: Path,
    text: str,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """The configuration that a text makes."""
    return load_config(written(folder, text), env or {}, overrides)


def faults(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """All that is wrong with a text, plugins included, without the folder."""
    config, found = read_config(written(folder, text), env or {})
    every = with_positions([*found, *try_assemble(config).faults], config.source)
    return [str(fault).removeprefix(f"{folder}/") for fault in every]


def warnings(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """All that is odd with a text."""
    config = loaded(folder, text, env)
    every = with_positions(try_assemble(config).warnings, config.source)
    return [str(fault).removeprefix(f"{folder}/") for fault in every]
