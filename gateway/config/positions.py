"""Line and column of each option in a TOML file, from tree-sitter: tomllib does not keep them.

Imported only to report a fault or to show origins: the parser is native code.
"""

import re
import tomllib
from collections.abc import Iterator

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from gateway.config.decode import join
from gateway.config.faults import Fault

Position = tuple[int, int]
"""Line and column, both from 1, the column in characters."""

_AT = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|.*)\)", re.DOTALL
)


def positions(text: str) -> dict[str, Position]:
    """Return the position of each key, table and list element by its path, "middleware[2].use"."""
    return _Finder(text).found


def parent(path: str) -> str:
    """Return the path of the table or list that holds an option, "" for a top-level one."""
    if path.endswith("]"):
        return path[: path.rindex("[")]
    if path.endswith('"'):
        start = path.rindex('"', 0, -1)
        return path[: max(start - 1, 0)]
    return path.rpartition(".")[0]


def syntax_fault(text: str, fault: tomllib.TOMLDecodeError) -> Fault:
    """Return an error of tomllib as a fault with its position."""
    said = _AT.fullmatch(str(fault))
    if said is None:
        return Fault(message=str(fault))
    lines = text.split("\n")
    line, column = int(said["line"] or len(lines)), int(said["column"] or len(lines[-1]) + 1)
    message = said["what"]
    if "Cannot declare" in message or "Cannot overwrite" in message:
        # tomllib gives the place where it noticed, the end of the line.
        column = 1
        message = f"this table or key stands twice: {message[:1].lower()}{message[1:]}"
    else:
        message = f"no valid TOML: {message[:1].lower()}{message[1:]}"
    return Fault(message=message, line=line, column=column)


class _Finder:
    """One walk over the tree of a file."""

    def __init__(self, text: str) -> None:
        self.found: dict[str, Position] = {}
        self._lines = text.encode().split(b"\n")
        self._counts: dict[str, int] = {}  # tables seen of each array of tables
        tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
        for node in tree.root_node.named_children:
            if node.has_error:
                continue  # valid TOML that the parser's grammar does not know: no place, no harm
            if node.type == "pair":
                self._pair(node, "")
            elif node.type in ("table", "table_array_element"):
                self._table(node)

    def _table(self, node: Node) -> None:
        key, *pairs = [each for each in node.named_children if each.type != "comment"]
        names = list(_names(key))
        path = ""
        for place, name in enumerate(names):
            path = join(path, name)
            self._note(path, node)
            if node.type == "table_array_element" and place == len(names) - 1:
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = join(path, self._counts[path])
        self._note(path, node)
        for pair in pairs:
            if pair.type == "pair":
                self._pair(pair, path)

    def _pair(self, node: Node, above: str) -> None:
        key, value = [each for each in node.named_children if each.type != "comment"][:2]
        path = above
        for name in _names(key):
            path = join(path, name)
            self._note(path, node)
        self._value(value, path)

    def _value(self, node: Node, path: str) -> None:
        inner = [each for each in node.named_children if each.type != "comment"]
        if node.type == "inline_table":
            for pair in inner:
                self._pair(pair, path)
        elif node.type == "array":
            for place, value in enumerate(inner):
                self._note(join(path, place), value)
                self._value(value, join(path, place))

    def _note(self, path: str, node: Node) -> None:
        line, column = node.start_point
        characters = len(self._lines[line][:column].decode(errors="replace"))
        self.found.setdefault(path, (line + 1, characters + 1))


def _names(key: Node) -> Iterator[str]:
    """Yield the names of a key, dotted or not, with quotes resolved."""
    if key.type == "dotted_key":
        for part in key.named_children:
            yield from _names(part)
    elif key.text is not None:
        text = key.text.decode()
        yield text if key.type == "bare_key" else str(tomllib.loads(f"k = {text}")["k"])
