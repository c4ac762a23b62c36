from collections.abc import Sequence

import pytest

from gateway.edge.pagination import PageRequest, page_members
from gateway.errors import InvalidRequest


def ids(page: PageRequest) -> tuple[Sequence[str], bool]:
    return page.cut("abcde", lambda letter: letter)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (PageRequest(None, ""), ("abcde", False)),
        (PageRequest(2, ""), ("ab", True)),
        (PageRequest(5, ""), ("abcde", False)),
        (PageRequest(2, "b"), ("cd", True)),
        (PageRequest(2, "e"), ("", False)),
        (PageRequest(2, "", "e"), ("cd", True)),
        (PageRequest(4, "", "e"), ("abcd", False)),
        (PageRequest(2, "a", "e"), ("bc", True)),
    ],
)
def test_a_page_is_cut(page: PageRequest, expected: tuple[str, bool]) -> None:
    assert ids(page) == expected


@pytest.mark.parametrize(
    ("page", "param"),
    [
        (PageRequest(2, "x", after_param="pageToken"), "pageToken"),
        (PageRequest(2, "", "x", before_param="before_id"), "before_id"),
    ],
)
def test_an_unknown_id_is_told_with_its_parameter(page: PageRequest, param: str) -> None:
    with pytest.raises(InvalidRequest, match=f'^{param}: the list has no "x"') as raised:
        ids(page)
    assert raised.value.param == param


def test_an_empty_page_has_no_ids() -> None:
    assert page_members([], False) == {"has_more": False, "first_id": None, "last_id": None}
    assert page_members(["a", "b"], True) == {"has_more": True, "first_id": "a", "last_id": "b"}
