"""What a conversion lost, approximated or repaired: the fidelity report of one call."""

from typing import NoReturn

from gateway.errors import InvalidRequest, UnusableMedia


class LossReport:
    """Collects `field:reason` entries; under `strict`, losses are refused instead."""

    __slots__ = ("entries", "strict")

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.entries: list[str] = []

    def drop(self, field: str, reason: str = "unsupported_by_target") -> None:
        """Notes that a field does not reach the target; InvalidRequest under strict."""
        if self.strict:
            raise InvalidRequest(
                f"{field}: cannot be carried to this provider ({reason.replace('_', ' ')}) "
                "and the route is strict",
                param=field,
            )
        self.note(field, reason)

    def refuse(self, field: str, reason: str) -> NoReturn:
        """Raises InvalidRequest, for a field whose loss would change the answer."""
        raise InvalidRequest(f"{field}: {reason}", param=field)

    def refuse_media(self, field: str, reason: str) -> NoReturn:
        """Raises UnusableMedia, for an image, document or sound that cannot be carried."""
        raise UnusableMedia(field, reason)

    def note(self, field: str, reason: str) -> None:
        """Notes an approximation or a repair, which strict allows; each entry once."""
        entry = f"{field}:{reason}"
        if entry not in self.entries:
            self.entries.append(entry)
