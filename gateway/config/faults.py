"""Faults of a configuration, with the place to correct them."""

from collections.abc import Sequence

from msgspec import Struct


class Fault(Struct, frozen=True, kw_only=True):
    """One fault or warning: its place, its message, and the name that was probably meant."""

    message: str
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        head = "".join(f"{part}: " for part in (place, self.path) if part)
        tail = f' (did you mean "{self.hint}"?)' if self.hint else ""
        return f"{head}{self.message}{tail}"


class ConfigError(Exception):
    """The gateway cannot be built as configured; `faults` holds every fault."""

    def __init__(self, faults: Sequence[Fault] | str) -> None:
        self.faults = [Fault(message=faults)] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
