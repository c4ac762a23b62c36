"""Secrets that never print."""

import hashlib
import hmac

PASSTHROUGH = "!PASSTHRU"
"""Stands in a key's place in the configuration: the client's own key is sent upstream."""


class Secret:
    """A credential; `reveal()` is the one way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The credential itself."""
        return self._text

    def digest(self) -> bytes:
        """SHA-256 of the whole credential, for compare and cache keys."""
        return hashlib.sha256(self._text.encode()).digest()

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(), other._text.encode()
        )

    def __hash__(self) -> int:
        return hash(self._text)
