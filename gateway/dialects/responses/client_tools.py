"""One flat name for each tool of a Responses request, and the way back (`Form`).

Functions and custom tools may stand in a namespace, and some kinds have no name at all. Providers
of other dialects know plain names only: `namespace__name`, or the name of the kind.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.neutral.events import ClientToolKind, Prompt, Tool

ACTION_KINDS = ("local_shell", "shell", "apply_patch", "tool_search")
"""Kinds of tools without a name of their own; their calls are items of the type `<kind>_call`."""


class ClientToolNames:
    """The names given so far, to the tools and to the calls of the history alike."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str | None, str], str] = {}
        self._used_names: set[str] = set()

    def assign_name(self, form: ClientToolKind) -> str:
        """The flat name, the same for the same tool; a second owner of a name gets a number."""
        key = (form.kind if form.kind in ACTION_KINDS else "", form.namespace, form.name)
        known = self._names.get(key)
        if known is not None:
            return known
        wanted = f"{form.namespace}__{form.name}" if form.namespace else form.name
        name, number = wanted, 1
        while name in self._used_names:
            number += 1
            name = f"{wanted}_{number}"
        self._names[key] = name
        self._used_names.add(name)
        return name


def index_client_tools(prompt: Prompt) -> dict[str, ClientToolKind]:
    """What the client calls each tool that is more than a function of that name."""
    return {tool.name: form for tool in prompt.tools if (form := tool.form) is not None}


def _object_schema(required: list[str], **properties: dict[str, Any]) -> Raw:
    shape = {"type": "object", "properties": properties, "required": required}
    return Raw(msgspec.json.encode(shape))


_STRING = {"type": "string"}
_STRING_LIST = {"type": "array", "items": _STRING}
_INTEGER = {"type": "integer"}
_ACTION_TOOLS = {
    "local_shell": (
        "Run a command in the shell of the user's machine.",
        _object_schema(
            ["command"],
            command=_STRING_LIST | {"description": "The program and its arguments"},
            env={"type": "object", "additionalProperties": _STRING},
            timeout_ms=_INTEGER,
            user=_STRING,
            working_directory=_STRING,
        ),
    ),
    "shell": (
        "Run shell commands, one after another.",
        _object_schema(
            ["commands"], commands=_STRING_LIST, timeout_ms=_INTEGER, max_output_length=_INTEGER,
        ),
    ),
    "apply_patch": (
        "Create, update or delete one file with a patch in V4A diff format.",
        _object_schema(
            ["type", "path"],
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path=_STRING,
            diff=_STRING | {"description": "The patch; not for delete_file"},
        ),
    ),
}  # fmt: skip


def make_action_tool(kind: Any, forms: ClientToolNames) -> Tool:
    """A tool that has no schema on the wire, as a function with the members of its action."""
    form = ClientToolKind(kind, kind)
    description, schema = _ACTION_TOOLS[kind]
    return Tool(forms.assign_name(form), description, schema, form=form)


def is_action_tool(kind: str) -> bool:
    """Whether tools of that kind are known by their kind alone."""
    return kind in _ACTION_TOOLS
