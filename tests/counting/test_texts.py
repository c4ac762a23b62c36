import builtins
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gateway.counting import texts
from gateway.counting.texts import PIECE_CHARS, Tokenizers, count_by_script

O200K = "o200k_base"


@pytest.fixture(scope="module")
def shelf() -> Tokenizers:
    return Tokenizers()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tokenizer."""
    importing = builtins.__import__

    def refuse(name: str, *args: Any, **rest: Any) -> Any:
        if name == "splintr":
            raise ModuleNotFoundError(name=name)
        return importing(name, *args, **rest)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("Hello, Claude", 3),
        ("You are a scientist", 4),
        ("What's the weather like in San Francisco?", 8),
        ("<|endoftext|>", 7),  # the spelling of a special token is text like any other
        ("a\ud800b", 3),
    ],
)
def test_a_vocabulary_counts_as_its_models_do(shelf: Tokenizers, text: str, tokens: int) -> None:
    assert shelf.get_counter(O200K)(text) == tokens


def test_a_long_text_is_counted_in_pieces(shelf: Tokenizers) -> None:
    length = shelf.get_counter(O200K)
    assert length("word " * PIECE_CHARS) == pytest.approx(PIECE_CHARS, rel=0.001)


def test_the_same_vocabulary_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Tokenizers()
    read: list[str] = []
    monkeypatch.setattr(texts, "_load_tokenizer", lambda name: read.append(name))
    assert not shelf.is_loaded("x")
    assert shelf.get_counter("x") is shelf.get_counter("x") is count_by_script
    assert read == ["x"]
    assert shelf.is_loaded("x")


@pytest.mark.usefixtures("bare")
def test_without_the_tokenizer_scripts_are_counted() -> None:
    assert Tokenizers().get_counter(O200K) is count_by_script


def test_an_unknown_vocabulary_is_counted_by_script() -> None:
    assert Tokenizers().get_counter("no such") is count_by_script


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0.0),
        ("abcde", 5 * 0.212),
        ("ABC", 3 * 0.233),
        ("12345", 5 * 0.8),
        ("{}", 2 * 0.524),
        ("\n \t", 0.146 + 2 * 0.057),
        ("é", 0.33),
        ("ж", 0.33),
        ("語", 0.75),
        ("한", 0.75),
        ("ह", 0.45),
        ("—", 0.45),
        ("😀", 1.5),
        ("a\ud800", 0.212 + 0.524),
    ],
)
def test_each_script_has_its_weight(text: str, tokens: float) -> None:
    assert count_by_script(text) == pytest.approx(tokens)


@given(st.text(), st.text())
def test_a_longer_text_never_comes_to_fewer_tokens(first: str, more: str) -> None:
    assert count_by_script(first + more) >= count_by_script(first)


@given(st.lists(st.sampled_from(["alpha", "Beta", "42", "gamma,", "デルタ", "x"]), min_size=1))
def test_more_words_never_come_to_fewer_tokens_of_a_vocabulary(words: list[str]) -> None:
    length = _SHELF.get_counter(O200K)
    assert length(" ".join(words)) >= length(" ".join(words[:-1]))


_SHELF = Tokenizers()


def test_a_text_that_vocabularies_split_badly_takes_no_longer_per_character() -> None:
    length = _SHELF.get_counter(O200K)
    length("warm")
    began = time.process_time()
    for text in ("a" * 100_000, " " * 100_000, "!?" * 50_000, "あ" * 50_000):
        length(text)
    assert time.process_time() - began < 2  # a quadratic one takes a minute


def test_the_two_ways_agree_about_prose() -> None:
    prose = (texts.__doc__ or "") * 20
    assert count_by_script(prose) == pytest.approx(_SHELF.get_counter(O200K)(prose), rel=0.15)
