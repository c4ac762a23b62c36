"""Prompt-cache marks of a request, and the limit on their number."""

from gateway.dialect import Block, Conversion
from gateway.neutral.events import CacheMark, Part, Text, ToolResult


class CacheMarks:
    """The marked blocks of one request."""

    def __init__(self) -> None:
        self._marked: list[tuple[Block, str]] = []

    def add_mark(self, block: Block, mark: CacheMark | None, conversion: Conversion) -> Block:
        """The block with its mark, in the form that the upstream supports."""
        form = conversion.capability.cache
        if mark is None or form == "none":
            return block
        if form == "breakpoints":
            block["prompt_cache_breakpoint"] = {"mode": "explicit"}
            self._marked.append((block, "prompt_cache_breakpoint"))
        else:
            ttl = {"ttl": mark.ttl} if mark.ttl else {}
            block["cache_control"] = {"type": "ephemeral"} | ttl
            self._marked.append((block, "cache_control"))
        return block

    def note_unplaced(self, conversion: Conversion, *forms: str) -> None:
        """Notes the marks that were not written; `forms` are those that the dialect has."""
        prompt = conversion.prompt
        wanted = 0
        for text in prompt.system:
            wanted += text.cache is not None
        for tool in prompt.tools:
            wanted += tool.cache is not None
        for turn in prompt.turns:
            wanted += _count_marks(turn.parts)
        if wanted > len(self._marked):
            none = conversion.capability.cache not in (forms or ("breakpoints", "cache_control"))
            reason = "target_takes_no_marks" if none else "kept_on_content_only"
            conversion.notes.note("cache_control", reason)

    def keep_last(self, most: int, conversion: Conversion) -> None:
        """Removes all but the last `most` marks."""
        if not self._marked:
            return
        if conversion.capability.cache == "cache_control":
            most = 4
        for block, name in self._marked[:-most]:
            del block[name]
        if len(self._marked) > most:
            conversion.notes.note("cache_control", f"last_{most}_kept")


def _count_marks(parts: list[Part]) -> int:
    """The number of cache marks on parts, including those within tool results."""
    count = 0
    for part in parts:
        if isinstance(part, Text):
            count += part.cache is not None
        else:
            count += getattr(part, "cache", None) is not None
            count += _count_marks(part.parts) if isinstance(part, ToolResult) else 0
    return count
