"""Parameters that the operator sets where a client sets none."""

from collections.abc import Mapping
from typing import Any

from gateway.counting.dialects import COUNTING_DIALECTS
from gateway.dialect import Dialect, Fields
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses.wire import CHAT_ONLY_MEMBERS
from gateway.wire.raw_json import encoded

_DIALECTS_WITHOUT_DEFAULTS = (*COUNTING_DIALECTS, EMBEDDINGS)
"""Dialects that take no defaults, which are parameters of answers."""


class DefaultParameters:
    """Members for the bodies of one provider's requests."""

    __slots__ = ("_all", "_responses")

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._all = encoded(given)
        # a provider of several dialects has one list of them, and much of it may be Chat's
        self._responses = {
            name: v for name, v in self._all.items() if name not in CHAT_ONLY_MEMBERS
        }

    def add_defaults(self, fields: Fields, dialect: Dialect) -> Fields:
        """The fields, and the defaults that are not among them."""
        if not self._all or dialect in _DIALECTS_WITHOUT_DEFAULTS:
            return fields
        known = self._responses if dialect is RESPONSES else self._all
        missing = {name: v for name, v in known.items() if name not in fields}
        return fields | missing if missing else fields
