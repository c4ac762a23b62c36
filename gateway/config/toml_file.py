"""A TOML file as text and table, or the fault that keeps it from being read."""

import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.config.faults import Fault


class TomlFile(Struct, frozen=True, kw_only=True):
    """What a file holds; `fault`, without a file name, where it cannot be read."""

    text: str = ""
    data: dict[str, Any] = {}
    fault: Fault | None = None


def read_toml(path: Path) -> TomlFile:
    """Read a TOML file in UTF-8, with or without a byte order mark."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return TomlFile(text=text, data=tomllib.loads(text))
    except OSError as error:
        fault = Fault(message=f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        fault = Fault(message=f"is not UTF-8 text: byte {error.start} is {error.reason}")
    except RecursionError:
        fault = Fault(message="is nested too deeply")
    except tomllib.TOMLDecodeError as error:
        # Imported here: native code that a start without a fault never needs.
        from gateway.config.positions import syntax_fault  # noqa: PLC0415

        fault = syntax_fault(text, error)
    return TomlFile(text=text, fault=fault)
