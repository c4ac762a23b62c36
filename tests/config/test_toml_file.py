"""A TOML file read, or the reason why it is not."""

from pathlib import Path

import pytest

from gateway.config.toml_file import read_toml


def test_a_file_is_its_text_and_its_table(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\n")
    file = read_toml(path)
    assert (file.text, file.data, file.fault) == ("a = 1\n", {"a": 1}, None)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a = '\xff'", "is not UTF-8 text: byte 5 is invalid start byte"),
        (b"a = [" * 1 + b"[" * 5000, "is nested too deeply"),
        (b"[a\n", "1:3: no valid TOML: expected ']' at the end of a table declaration"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    assert str(read_toml(path).fault) == fault


def test_a_file_that_is_not_there_has_a_fault(tmp_path: Path) -> None:
    fault = read_toml(tmp_path / "none").fault
    assert str(fault) == "cannot be read: No such file or directory"
