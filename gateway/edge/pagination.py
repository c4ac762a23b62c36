"""Pages of lists: the parameters that ask for one, and the members that describe one."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from gateway.edge.operation import ApiRequest
from gateway.errors import InvalidRequest

T = TypeVar("T")
DEFAULT_PAGE_SIZE = 20
"""Entries of a page in the APIs of both vendors, if the client names no number."""


class PageRequest(Struct, frozen=True):
    """The part of a list that a client asks for."""

    limit: int | None
    """Most entries; None: no limit."""
    after: str
    """The id of the entry before the page; "": the page starts at the first entry."""
    before: str = ""
    """The id of the entry after the page. Without `after`, the page is the last before it."""
    after_param: str = "after"
    before_param: str = "before"

    @classmethod
    def from_query(
        cls, ask: ApiRequest, most: int, *, default: int | None = None, after: str, before: str = ""
    ) -> "PageRequest":
        """The page that `limit` and the parameters `after` and `before` ask for.

        `most` is the largest limit, `default` the one without the parameter. Raises InvalidRequest.
        """
        limit = ask.parse_number("limit", 1, most) or default
        return cls(limit, ask.query.get(after, ""), ask.query.get(before, ""), after, before)

    def cut(self, entries: Sequence[T], get_id: Callable[[T], object]) -> tuple[Sequence[T], bool]:
        """The page, and whether the list goes on. Raises InvalidRequest for an unknown id."""
        start, end = 0, len(entries)
        if self.after:
            start = _get_index(entries, get_id, self.after, self.after_param) + 1
        if self.before:
            end = _get_index(entries, get_id, self.before, self.before_param)
        part = entries[start:end]
        if self.limit is None or len(part) <= self.limit:
            return part, False
        return part[-self.limit :] if self.before and not self.after else part[: self.limit], True


def _get_index(entries: Sequence[T], get_id: Callable[[T], object], ident: str, param: str) -> int:
    for index, entry in enumerate(entries):
        if get_id(entry) == ident:
            return index
    raise InvalidRequest(f'{param}: the list has no "{ident[:200]}"', param=param)


def page_members(ids: Sequence[object], has_more: bool) -> dict[str, object]:
    """The members that describe a page of entries with those ids, in the APIs of both vendors."""
    return {
        "has_more": has_more,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
