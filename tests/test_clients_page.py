"""The page on clients names the versions that are pinned."""

import re
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
ENV = ROOT / "tests" / "clients" / "env"
PAGE = (ROOT / "docs" / "clients.md").read_text()
SHOWN = (
    "langchain-openai",
    "langchain-anthropic",
    "pydantic-ai-slim",
    "instructor",
    "google-genai",
)


def test_the_page_names_the_versions_of_node_packages() -> None:
    for file in ENV.glob("*/package.json"):
        for name, version in msgspec.json.decode(file.read_bytes())["dependencies"].items():
            assert name == "zod" or version in PAGE, name


def test_the_page_names_the_versions_of_python_packages() -> None:
    pins = "".join(file.read_text() for file in ENV.glob("*/requirements.txt"))
    for name in SHOWN:
        found = re.search(rf"^{name}==([\w.]+)", pins, re.MULTILINE)
        assert found, name
        row = next(line for line in PAGE.splitlines() if line[:2] == "| " and name in line)
        assert found[1] in row


def test_no_lock_names_where_packages_come_from() -> None:
    for file in ENV.glob("*/package-lock.json"):
        assert b'"resolved"' not in file.read_bytes()
    for file in ENV.glob("*/requirements.txt"):
        assert "index-url" not in file.read_text()
