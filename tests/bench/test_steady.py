"""What is said when a call takes more instructions than were kept, and when it cannot be known."""

from pathlib import Path

import pytest

from tests.bench import steady

KEPT = {"chat": 100_000, "stream": 2_000_000}


@pytest.mark.parametrize(
    ("now", "code", "said"),
    [
        ({"chat": 109_000, "stream": 2_000_000}, 0, "+9.0%"),
        ({"chat": 100_000, "stream": 2_201_000}, 1, "+10.1% TOO MANY"),
        ({"chat": 111_000, "stream": 1_000_000}, 1, steady.RENEW),
        ({"chat": 80_000, "stream": 2_000_000}, 0, steady.FEWER),
    ],
)
def test_a_tenth_more_is_too_many(now: steady.Figures, code: int, said: str) -> None:
    lines, failed = steady.compared(KEPT, now)
    assert failed == code
    assert said in "\n".join(lines)
    assert len(lines) >= len(KEPT)


def test_figures_of_another_interpreter_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "instructions.json"
    place.write_text('{"pypy 9.9 pdp11 -O9": {"chat": 1}}')
    monkeypatch.setattr(steady, "PLACE", place)
    monkeypatch.setattr(steady.shutil, "which", lambda _: "/usr/bin/valgrind")  # type: ignore[attr-defined]
    monkeypatch.delenv("INTERLINGUA_REQUIRE_VALGRIND", raising=False)
    assert steady.check() == 0
    said = capsys.readouterr().out
    assert "not checked" in said
    assert "pypy 9.9 pdp11 -O9" in said
    assert steady.interpreter() in said
    monkeypatch.setenv("INTERLINGUA_REQUIRE_VALGRIND", "1")
    assert steady.check() == 1


def test_without_valgrind_nothing_is_checked_but_where_it_must_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("INTERLINGUA_REQUIRE_VALGRIND", raising=False)
    assert steady.check() == 0
    assert "valgrind is not installed" in capsys.readouterr().out
    monkeypatch.setenv("INTERLINGUA_REQUIRE_VALGRIND", "1")
    assert steady.check() == 1


def test_the_figures_that_are_kept_are_of_the_cases_that_are_counted() -> None:
    for figures in steady._kept().values():
        assert tuple(figures) == steady.CASES
