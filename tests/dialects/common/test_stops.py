"""Stop sequences enforced by the gateway."""

import time

import pytest
from hypothesis import given, strategies as st

from gateway.dialects.common.stops import StopScanner


def scanned(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, str | None]:
    scanner = StopScanner(stops)
    out = ""
    for piece in pieces:
        text, stop = scanner.feed(piece)
        out += text
        if stop is not None:
            return out, stop
    return out + scanner.finish(), None


def reference(stops: tuple[str, ...], text: str) -> tuple[str, str | None]:
    """The first place where any stop is complete, the longest of those that are."""
    for end in range(len(text) + 1):
        ended = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if ended:
            longest = max(ended, key=len)
            return text[: end - len(longest)], longest
    return text, None


def test_text_before_the_stop_is_released() -> None:
    assert scanned(("A", "B", "C", "D", "END"), ["x END y"]) == ("x ", "END")


def test_a_stop_is_found_across_pieces() -> None:
    assert scanned(("END",), ["x E", "N", "D y"]) == ("x ", "END")


def test_only_what_may_become_a_stop_is_held_back() -> None:
    scanner = StopScanner(("\n\nHuman:",))
    assert scanner.feed("Hello") == ("Hello", None)
    assert scanner.feed(" you\n\nHu") == (" you", None)
    assert scanner.feed("h?") == ("\n\nHuh?", None)
    assert scanner.finish() == ""


def test_what_was_held_back_comes_at_the_end() -> None:
    scanner = StopScanner(("END",))
    assert scanner.feed("the EN") == ("the ", None)
    assert scanner.finish() == "EN"
    assert scanner.finish() == ""


@pytest.mark.parametrize(
    ("stops", "text", "want"),
    [
        (("b", "abc"), "abc", ("a", "b")),
        (("b", "ab"), "xab", ("x", "ab")),
        (("aab",), "aaab", ("a", "aab")),
        (("abab!",), "ababab!", ("ab", "abab!")),
        (("", "x"), "yx", ("y", "x")),
        ((), "any", ("any", None)),
        (("x", "x"), "ax", ("a", "x")),
    ],
)
def test_the_match_complete_first_wins(
    stops: tuple[str, ...], text: str, want: tuple[str, str | None]
) -> None:
    assert scanned(stops, [text]) == want
    assert scanned(stops, list(text)) == want


def test_nothing_is_released_after_the_stop() -> None:
    scanner = StopScanner(("x",))
    assert scanner.feed("ax") == ("a", "x")
    assert scanner.feed("more") == ("", "x")
    assert scanner.finish() == ""


@given(
    st.lists(st.text("ab!", max_size=5), max_size=4).map(tuple),
    st.lists(st.text("ab!", max_size=6), max_size=8),
)
def test_any_cutting_gives_the_same(stops: tuple[str, ...], pieces: list[str]) -> None:
    assert scanned(stops, pieces) == reference(stops, "".join(pieces))


def test_a_hostile_stop_costs_linear_time() -> None:
    scanner = StopScanner(("a" * 200_000 + "b",))
    began = time.perf_counter()
    for _ in range(100):
        scanner.feed("a" * 1000)
    assert time.perf_counter() - began < 5
