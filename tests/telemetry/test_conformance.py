from pathlib import Path

import msgspec
import pytest

from gateway.telemetry import conformance
from gateway.telemetry.conformance import Conformance, Count, Family

FIGURES = Conformance(
    version="1", anthropic=Family(29, 29, []), openai=Family(28, 28, []),
    openrouter=Family(25, 25, []), overall=Family(82, 82, []),
)  # fmt: skip


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    monkeypatch.setattr(conformance, "read", conformance.read.__wrapped__)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"overall":{"passed":82}}'])
def test_without_a_file_that_can_be_read_there_are_no_figures(
    folder: Path, content: bytes | None
) -> None:
    if content is not None:
        (folder / "conformance.json").write_bytes(content)
    assert conformance.read() is None
    assert conformance.headers() == []


def test_the_header_is_the_count_over_all(folder: Path) -> None:
    (folder / "conformance.json").write_bytes(msgspec.json.encode(FIGURES))
    assert conformance.read() == FIGURES
    assert conformance.headers() == [(b"x-api-compatibility", b"100% (82/82)")]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (Count(82, 82), "100% (82/82)"), (Count(81, 82), "98% (81/82)"),
        (Count(999, 1000), "99% (999/1000)"), (Count(0, 0), "0% (0/0)"),
    ],
)  # fmt: skip
def test_a_count_is_rounded_down(count: Count, said: str) -> None:
    assert str(count) == said
