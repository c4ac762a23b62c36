"""Where the gateway keeps its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

_HOME_FOLDERS = {"XDG_CACHE_HOME": ".cache", "XDG_STATE_HOME": ".local/state"}


def find_folder(
    env: Mapping[str, str],
    configured: str,
    variable: Literal["XDG_CACHE_HOME", "XDG_STATE_HOME"],
    name: str,
) -> Path | None:
    """The folder `name` in the first of: `configured`, $STATE_DIRECTORY, $`variable`, $HOME.

    Below the last two it is in a folder of the gateway's own (XDG Base Directory Specification: a
    relative `variable` is ignored). None if the environment names no place.
    """
    if configured:
        return Path(configured).absolute() / name
    state = env.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd may list several
    if state:
        return Path(state) / name
    base, home = env.get(variable, ""), env.get("HOME", "")
    if not base.startswith("/"):
        if not home:
            return None
        base = f"{home}/{_HOME_FOLDERS[variable]}"
    return Path(base) / "interlingua" / name
