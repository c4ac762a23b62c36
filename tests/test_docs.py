"""The tables of docs/ are those that the code makes."""

from pathlib import Path

from tests.docs import MARKED, PAGE, find_operations, rewrite


def test_the_table_of_endpoints_is_made_of_the_operations(tmp_path: Path) -> None:
    page = PAGE.read_text()
    assert MARKED.search(page)
    assert rewrite(page, find_operations(tmp_path)) == page, "run python -m tests.docs"


def test_every_operation_has_a_summary_and_one_way_to_answer(tmp_path: Path) -> None:
    for each in find_operations(tmp_path):
        assert each.summary.endswith("."), each.path
        assert (each.handler is None) != (each.app is None), each.path
