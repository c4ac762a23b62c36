"""Tool calls and their results in the order that every upstream requires.

A result stands in the user turn right after its call, before anything else there, in the order of
the calls; a call has exactly one. What breaks this is repaired and noted. The output for a prompt
is a prefix of the output for the same prompt gone on, or prompt caches would miss.
"""

from gateway.neutral.events import Part, Text, ToolCall, ToolResult, Turn
from gateway.neutral.notes import LossReport

NO_RESULT_TEXT = "No result was provided for this call."
_NOTE_PATH = "messages.tool_result"


def pair_tool_results(turns: list[Turn], notes: LossReport) -> list[Turn]:
    """The turns with one result for each call, in place; the input is not changed."""
    if len(turns) == 1 and not [part for part in turns[0].parts if isinstance(part, ToolResult)]:
        return turns
    starts = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    ends = [*starts, len(turns)]
    out = _place_results([], turns[: ends[0]], notes)
    for start, end in zip(starts, ends[1:], strict=True):
        out.append(turns[start])
        if start + 1 == len(turns):
            break  # calls of the last turn still wait for their results
        ids = [part.id for part in turns[start].parts if isinstance(part, ToolCall)]
        if end == start + 2 and _is_paired(ids, turns[start + 1]):
            out.append(turns[start + 1])  # already in order, as nearly all are
        else:
            out += _place_results(list(dict.fromkeys(ids)), turns[start + 1 : end], notes)
    return out


def _is_paired(calls: list[str], turn: Turn) -> bool:
    """Whether the turn is a user turn that begins with one result for each of the calls."""
    first, rest = turn.parts[: len(calls)], turn.parts[len(calls) :]
    return (
        turn.role == "user"
        and [part.call_id for part in first if isinstance(part, ToolResult)] == calls
        and len(set(calls)) == len(calls)
        and not [part for part in rest if isinstance(part, ToolResult)]
    )


def _place_results(calls: list[str], turns: list[Turn], notes: LossReport) -> list[Turn]:
    """The turns between two assistant turns, the results of `calls` in the first."""
    answers: dict[str, ToolResult] = {}
    rests: list[Turn] = []
    for turn in turns:
        if turn.role == "user" and any(isinstance(part, ToolResult) for part in turn.parts):
            found, rest = _split_results(turn, {*calls} - {*answers}, notes)
            answers |= found
            if rest or not rests:  # else all of it moves to an earlier turn
                rests.append(Turn(turn.role, rest, turn.name))
        else:
            rests.append(turn)
    results = [answers.get(call) or _make_missing_result(call, notes) for call in calls]
    if not results:
        return rests
    if rests and rests[0].role == "user":
        first = rests.pop(0)
        return [Turn("user", [*results, *first.parts], first.name), *rests]
    return [Turn("user", [*results]), *rests]


def _split_results(
    turn: Turn, open_calls: set[str], notes: LossReport
) -> tuple[dict[str, ToolResult], list[Part]]:
    """The turn's results for open calls, and its other parts; other results become text."""
    found: dict[str, ToolResult] = {}
    rest: list[Part] = []
    for part in turn.parts:
        if not isinstance(part, ToolResult):
            rest.append(part)
        elif part.call_id in open_calls:
            if part.call_id in found:
                notes.note(_NOTE_PATH, "duplicate_dropped")
            found[part.call_id] = part
        else:
            notes.note(_NOTE_PATH, "without_call_made_text")
            rest += _result_as_text(part)
    return found, rest


def _result_as_text(result: ToolResult) -> list[Part]:
    lines = [f"[result of an earlier tool call {result.call_id}]"]
    lines += [part.text for part in result.parts if isinstance(part, Text)]
    others = [part for part in result.parts if not isinstance(part, Text)]
    return [Text("\n".join(lines), cache=result.cache), *others]


def _make_missing_result(call_id: str, notes: LossReport) -> ToolResult:
    notes.note(_NOTE_PATH, "missing_filled_in")
    return ToolResult(call_id, [Text(NO_RESULT_TEXT)], is_error=True)
