import ctypes

import pytest

from gateway.server.malloc import keep_freed


def test_the_c_library_takes_both_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []

    class Library:
        def __init__(self, name: None) -> None:
            pass

        def mallopt(self, what: int, value: int) -> int:
            given.append((what, value))
            return 1

    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert keep_freed()
    assert given == [(-3, 4 * 1024 * 1024), (-1, 16 * 1024 * 1024)]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_freed()
