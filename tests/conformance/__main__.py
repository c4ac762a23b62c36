"""`python -m tests.conformance`: runs the matrix, writes the figures and the page of this build."""

import asyncio
import sys
from pathlib import Path

import msgspec

from gateway.telemetry.conformance import Conformance
from tests.conformance.figures import counted
from tests.conformance.page import page
from tests.conformance.run import Matrix, matrix

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "gateway" / "data" / "conformance.json"
PAGE = ROOT / "docs" / "compatibility.md"


def written(figures: Conformance) -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n"


def main() -> int:
    """Writes both files; 1 where an item failed that the build has what it needs for."""
    run: Matrix = asyncio.run(matrix())
    figures = counted(run.results)
    FIGURES.write_bytes(written(figures))
    PAGE.write_text(page(run.results))
    for result in run.results:
        if not result.passed:
            print(f"{result.family.name}: {result.item.name}: {result.reason}")
    for name in ("anthropic", "openai", "openrouter", "overall"):
        print(f"{name:10} {getattr(figures, name)}")
    return 1 if any(result.faults for result in run.results) else 0


if __name__ == "__main__":
    sys.exit(main())
