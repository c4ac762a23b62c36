"""No module of the core imports itself by way of others, imports for type checking included.

import-linter leaves imports under TYPE_CHECKING out; a circle there is a circle of ideas all the
same. Imports within functions do count: they only hide a circle from the interpreter.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KNOWN = {"gateway.call", "gateway.dialect", "gateway.reply"}
"""The one circle left: a dialect's lanes take a call and a reply."""


def module_of(path: Path, root: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, modules: set[str]) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            yield from inner or {node.module} & modules


def graph_of(root: Path, package: str) -> dict[str, set[str]]:
    """Each module of a package and those that it imports."""
    files = {module_of(path, root): path for path in sorted((root / package).rglob("*.py"))}
    return {name: set(imports_of(path, set(files))) - {name} for name, path in files.items()}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            place = stack.index(name)
            group = stack[place:]
            del stack[place:]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


@pytest.mark.parametrize("package", ["gateway", "middleware", "providers"])
def test_no_import_hides_a_circle(package: str) -> None:
    found = [group for group in circles(graph_of(ROOT, package)) if not set(group) <= KNOWN]
    assert found == []


def test_a_circle_under_type_checking_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text("from house import b\n")
    (folder / "b.py").write_text("import typing\nif typing.TYPE_CHECKING:\n    import house.c\n")
    (folder / "c.py").write_text("def late() -> None:\n    from house.a import x\n")
    (folder / "d.py").write_text("from house.a import x\n")
    assert circles(graph_of(tmp_path, "house")) == [["house.a", "house.b", "house.c"]]
