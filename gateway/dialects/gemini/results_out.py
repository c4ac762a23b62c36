"""Tool results as `FunctionResponse`: a JSON object, and images beside it."""

import msgspec
from msgspec import Raw

from gateway.dialect import Block, Conversion
from gateway.dialects.gemini.parts_out import write_parts
from gateway.neutral.events import Text, ToolResult


def write_result(
    result: ToolResult, name: str, conversion: Conversion
) -> tuple[Block, list[Block]]:
    """The response of the function `name`, and its images to send after all responses."""
    said = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    others = [part for part in result.parts if not isinstance(part, Text)]
    shown = write_parts(others, conversion)
    texts = [block["text"] for block in shown if "text" in block]
    pictures = [block for block in shown if "text" not in block]
    response: Block = {
        "name": name,
        "response": _write_response(
            "\n".join(filter(None, [said, *texts])), is_error=result.is_error
        ),
    }
    if conversion.capability.call_ids:
        response["id"] = result.call_id
    if pictures and conversion.capability.tool_images:
        response["parts"] = pictures
        pictures = []
    if pictures:
        pictures.insert(0, {"text": f"Output of tool call {result.call_id}:"})
    return {"functionResponse": response}, pictures


def _write_response(text: str, *, is_error: bool) -> Raw | dict[str, str]:
    if is_error:
        return {"error": text or "Error"}
    # observed: Gemini reads a member "$ref" as a pointer to a part of the response
    if '"$ref"' not in text and _is_object(text):
        return Raw(text.encode())
    return {"output": text}


def _is_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        msgspec.json.decode(text, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False
    return True
