"""The tables of docs/ that are made from code: `python -m tests.docs` rewrites them."""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gateway.app import build
from gateway.edge.operation import Operation
from tests.configs import loaded

PAGE = Path(__file__).parents[1] / "docs" / "endpoints.md"
MARKED = re.compile(
    r"(?<=<!-- endpoints: made by python -m tests\.docs -->\n).*?(?=<!-- end -->)", re.DOTALL
)
LINKS = ("auth", "batch", "alias", "history", "cache", "fallback", "convert")
CONFIG = """
[server]
discover = false
[catalogue]
folder = "{folder}"
[batch]
engine = "embedded"
folder = "{folder}"
[providers.echo]
[routing]
default_provider = "echo"
{links}
"""
MEDIA = {
    "application/json": "JSON",
    "application/octet-stream": "bytes",
    "application/openmetrics-text": "OpenMetrics",
    "application/x-jsonl": "JSON lines",
    "application/yaml": "YAML",
    "multipart/form-data": "form",
    "text/event-stream": "events",
    "text/html": "HTML",
    "text/plain": "text",
}


def find_operations(folder: Path) -> list[Operation]:
    """The endpoints of a gateway that has all of them; its files are in `folder`."""
    links = "".join(f'[[middleware]]\nuse = "{name}"\n' for name in LINKS)
    app = build(loaded(folder, CONFIG.format(folder=folder, links=links)))
    operations: list[Operation] = app.state.operations
    return operations


def render_table(operations: Iterable[Operation]) -> str:
    """The operations as a Markdown table."""
    lines = ["| endpoint | what it does | body | answer |", "|---|---|---|---|"]
    for each in operations:
        gives = ", ".join(MEDIA[kind] for kind in each.gives)
        summary = each.summary if each.auth else f"{each.summary} No key needed."
        lines.append(
            f"| `{each.method} {each.path}` | {summary} | {MEDIA.get(each.takes, '')} | {gives} |"
        )
    return "\n".join(lines) + "\n"


def rewrite(page: str, operations: Iterable[Operation]) -> str:
    """The page with its table made anew."""
    table = render_table(operations)
    return MARKED.sub(lambda _: table, page)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(rewrite(PAGE.read_text(), find_operations(Path(made))))
