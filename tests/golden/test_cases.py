"""Every golden case that is named has its test."""

import re

from tests.golden import test_forty_requests, test_forty_streams, test_next_in_line
from tests.golden.cases import FORTY, NEXT


def test_each_of_the_forty_has_its_test() -> None:
    names = [*vars(test_forty_requests), *vars(test_forty_streams)]
    found = [int(number[1]) for name in names if (number := re.match(r"test_(\d\d)_", name))]
    assert sorted(found) == sorted(FORTY) == list(range(1, 41))


def test_each_of_the_next_has_its_test() -> None:
    found = {name.removeprefix("test_") for name in vars(test_next_in_line) if name[:5] == "test_"}
    assert found == NEXT.keys()
