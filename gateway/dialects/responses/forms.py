"""One flat name for each tool of a Responses request, and the way back (`Form`).

Functions and custom tools may stand in a namespace, and some kinds have no name at all. Providers
of other dialects know plain names only: `namespace__name`, or the word of the kind.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.neutral.events import Form, Prompt, Tool

_PLAIN = ("function", "custom")


class Forms:
    """The names given so far, to the tools and to the calls of the history alike."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str | None, str], str] = {}
        self._taken: set[str] = set()

    def name(self, form: Form) -> str:
        """The flat name, the same for the same tool; a second owner of a name gets a number."""
        key = ("" if form.kind in _PLAIN else form.kind, form.namespace, form.name)
        known = self._names.get(key)
        if known is not None:
            return known
        wanted = f"{form.namespace}__{form.name}" if form.namespace else form.name
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._names[key] = name
        self._taken.add(name)
        return name


def forms_of(prompt: Prompt) -> dict[str, Form]:
    """What the client calls each tool that is more than a function of that name."""
    return {tool.name: form for tool in prompt.tools if (form := tool.form) is not None}


def _object(required: list[str], **properties: dict[str, Any]) -> Raw:
    shape = {"type": "object", "properties": properties, "required": required}
    return Raw(msgspec.json.encode(shape))


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer"}
_ACTIONS = {
    "local_shell": (
        "Run a command in the shell of the user's machine.",
        _object(
            ["command"],
            command=_TEXTS | {"description": "The program and its arguments"},
            env={"type": "object", "additionalProperties": _TEXT},
            timeout_ms=_COUNT,
            user=_TEXT,
            working_directory=_TEXT,
        ),
    ),
    "shell": (
        "Run shell commands, one after another.",
        _object(
            ["commands"], commands=_TEXTS, timeout_ms=_COUNT, max_output_length=_COUNT,
        ),
    ),
    "apply_patch": (
        "Create, update or delete one file with a patch in V4A diff format.",
        _object(
            ["type", "path"],
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path=_TEXT,
            diff=_TEXT | {"description": "The patch; not for delete_file"},
        ),
    ),
}  # fmt: skip


def action_tool(kind: Any, forms: Forms) -> Tool:
    """A tool that has no schema on the wire, as a function with the members of its action."""
    form = Form(kind, kind)
    description, schema = _ACTIONS[kind]
    return Tool(forms.name(form), description, schema, form=form)


def is_action(kind: str) -> bool:
    """Whether tools of that kind are known by their kind alone."""
    return kind in _ACTIONS
