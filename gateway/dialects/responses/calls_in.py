"""Tool calls of the history and their results, from items of every type."""

import msgspec
from msgspec import Raw

from gateway.dialects.common.arguments import normalize_arguments
from gateway.dialects.responses.client_tools import ACTION_KINDS, ClientToolNames
from gateway.dialects.responses.content_in import read_content
from gateway.dialects.responses.wire import (
    ActionCall,
    CallOutput,
    CustomCall,
    FunctionCall,
    ShellOutput,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import ClientToolKind, Part, Text, ToolCall, ToolResult
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import member, present

_TOOL_KIND_OF_CALL = {f"{kind}_call": kind for kind in ACTION_KINDS}
_OUTPUT_TYPES = {
    "function_call_output", "custom_tool_call_output", "local_shell_call_output",
    "shell_call_output", "apply_patch_call_output", "tool_search_output",
}  # fmt: skip


class ToolCallReader:
    """The calls so far: which ids items go by, and which calls still wait for an answer."""

    call_types = frozenset({"function_call", "custom_tool_call", *_TOOL_KIND_OF_CALL})
    """Types of the items that are calls."""

    def __init__(self, forms: ClientToolNames, notes: LossReport) -> None:
        self._tool_names = forms
        self._notes = notes
        self._call_of_item: dict[str, str] = {}  # an item's id -> its call's
        self._open_calls: list[str] = []

    def read_call(self, raw: Raw, type: str, path: str) -> ToolCall:
        """The call that an item is. InvalidRequest where it has no id."""
        found: FunctionCall | CustomCall | ActionCall
        if type == "function_call":
            found = member(raw, FunctionCall, path)
            form = ClientToolKind("function", found.name, found.namespace)
            given = normalize_arguments(found.arguments)
            arguments = given.text
            if given.repaired:
                self._notes.note(f"{path}.arguments", "invalid_json_kept_as_text")
        elif type == "custom_tool_call":
            found = member(raw, CustomCall, path)
            form = ClientToolKind("custom", found.name, found.namespace)
            arguments = found.input
        else:
            found, kind = member(raw, ActionCall, path), _TOOL_KIND_OF_CALL[type]
            form = ClientToolKind(kind, kind)  # type: ignore[arg-type]
            arguments = _read_arguments(found)
        name = self._tool_names.assign_name(form)
        id = found.call_id or found.id
        if not id:
            raise InvalidRequest(f"{path}.call_id: Field required", param=f"{path}.call_id")
        if found.id:
            self._call_of_item[found.id] = id
        self._open_calls.append(id)
        return ToolCall(id, name, arguments, custom=type == "custom_tool_call")

    def read_result(self, raw: Raw, type: str, path: str) -> ToolResult | None:
        """The answer that an item is; None for an answer that only OpenAI's own tools get."""
        if type not in _OUTPUT_TYPES:
            self._notes.drop(path, f"{type}_unsupported_by_target")
            return None
        found = member(raw, CallOutput, path)
        id = self._pop_open_call(found, path)
        parts = self._read_parts(found, type, f"{path}.output")
        failed = type == "apply_patch_call_output" and found.status == "failed"
        return ToolResult(id, parts, is_error=failed)

    def _pop_open_call(self, found: CallOutput, path: str) -> str:
        """The id of the call that the answer belongs to; without a name, the one longest open."""
        id = found.call_id or self._call_of_item.get(found.id or "")
        if not id and found.id in self._open_calls:
            id = found.id
        if not id and self._open_calls:
            id = self._open_calls[0]
        if not id:
            raise InvalidRequest(f"{path}.call_id: Field required", param=f"{path}.call_id")
        if id in self._open_calls:
            self._open_calls.remove(id)
        return id

    def _read_parts(self, found: CallOutput, type: str, path: str) -> list[Part]:
        if type == "tool_search_output":
            return [Text(_render_found_tools(found.tools or []))]
        if not present(found.output):
            return []
        if type == "shell_call_output":
            return [Text(_render_shell_output(member(found.output, list[ShellOutput], path)))]
        return read_content(member(found.output, str | list[Raw], path), path, self._notes)


def _read_arguments(found: ActionCall) -> str:
    """The action as the arguments of a function; local shells have but one type of action."""
    for raw in (found.action, found.operation, found.arguments):
        if not present(raw):
            continue
        if bytes(raw)[:1] == b'"':
            return normalize_arguments(member(raw, str, "arguments")).text
        members = member(raw, dict[str, Raw], "action")
        if bytes(members.get("type", Raw(b""))) == b'"exec"':
            del members["type"]
        return msgspec.json.encode(members).decode()
    return ""


def _render_shell_output(outputs: list[ShellOutput]) -> str:
    lines: list[str] = []
    for output in outputs:
        lines += [text for text in (output.stdout, output.stderr) if text]
        outcome = output.outcome
        if outcome is not None and outcome.type == "timeout":
            lines.append("[timed out]")
        elif outcome is not None and outcome.exit_code:
            lines.append(f"[exit code {outcome.exit_code}]")
    return "\n".join(lines)


def _render_found_tools(tools: list[Raw]) -> str:
    names: list[str] = []
    for raw in tools:
        try:
            names.append(str(msgspec.json.decode(raw, type=dict[str, object]).get("name")))
        except msgspec.MsgspecError:
            continue
    return "Tools found: " + ", ".join(names) if names else "No tools were found."
