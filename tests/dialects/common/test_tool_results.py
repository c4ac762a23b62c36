"""Tool calls matched with their results."""

import copy

from hypothesis import given, strategies as st
from msgspec import Raw

from gateway.dialects.common.tool_results import NO_RESULT_TEXT, pair_tool_results
from gateway.neutral.events import (
    CacheMark,
    Image,
    Opaque,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.neutral.notes import LossReport


def user(*parts: Part) -> Turn:
    return Turn("user", list(parts))


def assistant(*parts: Part) -> Turn:
    return Turn("assistant", list(parts))


def call(id: str) -> ToolCall:
    return ToolCall(id, "f", "{}")


def result(id: str, text: str = "ok") -> ToolResult:
    return ToolResult(id, [Text(text)])


def missing(id: str) -> ToolResult:
    return ToolResult(id, [Text(NO_RESULT_TEXT)], is_error=True)


def both(turns: list[Turn]) -> tuple[list[Turn], list[str]]:
    notes = LossReport()
    return pair_tool_results(turns, notes), notes.entries


def test_a_sound_prompt_is_left_as_it_is() -> None:
    turns = [user(Text("hi")), assistant(Text("ok"), call("a")), user(result("a")), assistant()]
    assert both(turns) == (turns, [])
    assert both([]) == ([], [])


def test_results_come_first_in_the_order_of_their_calls() -> None:
    picture = Image(url="https://x")
    turns = [
        assistant(call("a"), call("b")),
        user(Text("hi"), result("b"), picture, result("a"), Text("you")),
    ]
    out, entries = both(turns)
    assert out[1] == user(result("a"), result("b"), Text("hi"), picture, Text("you"))
    assert entries == []


def test_of_duplicates_the_last_stays() -> None:
    out, entries = both([assistant(call("a")), user(result("a", "1"), result("a", "2"))])
    assert out[1] == user(result("a", "2"))
    assert entries == ["messages.tool_result:duplicate_dropped"]


def test_a_result_without_a_call_becomes_text() -> None:
    picture = Image(url="https://x")
    orphan = ToolResult("z", [Text("one"), picture, Text("two")], cache=CacheMark("5m"))
    turns = [assistant(call("z")), user(result("z")), assistant(Text("x")), user(orphan)]
    out, entries = both(turns)
    text = "[result of an earlier tool call z]\none\ntwo"
    assert out[3] == user(Text(text, CacheMark("5m")), picture)
    assert entries == ["messages.tool_result:without_call_made_text"]


def test_a_result_before_any_call_becomes_text() -> None:
    out, _ = both([user(result("a"))])
    assert out == [user(Text("[result of an earlier tool call a]\nok"))]


def test_a_call_without_a_result_gets_one() -> None:
    out, entries = both([assistant(call("a"), call("b")), user(result("a"), Text("go on"))])
    assert out[1] == user(result("a"), missing("b"), Text("go on"))
    assert entries == ["messages.tool_result:missing_filled_in"]


def test_a_user_turn_is_made_where_none_follows() -> None:
    system = Turn("system", [Text("s")])
    out, _ = both([assistant(call("a")), assistant(Text("x"), call("b")), system])
    assert out == [
        assistant(call("a")),
        user(missing("a")),
        assistant(Text("x"), call("b")),
        user(missing("b")),
        system,
    ]


def test_calls_of_the_last_turn_wait() -> None:
    turns = [user(Text("hi")), assistant(call("a"))]
    assert both(turns) == (turns, [])


def test_results_in_later_user_turns_move_up() -> None:
    system = Turn("system", [Text("s")])
    turns = [assistant(call("a"), call("b")), user(result("b")), system, user(result("a"))]
    out, entries = both(turns)
    assert out == [turns[0], user(result("a"), result("b")), system]
    assert entries == []


def test_a_system_turn_does_not_part_a_call_from_its_result() -> None:
    system = Turn("system", [Text("s")])
    out, _ = both([assistant(call("a")), system, user(result("a"), Text("hi"))])
    assert out == [assistant(call("a")), user(result("a")), system, user(Text("hi"))]


def test_a_second_answer_in_a_later_turn_becomes_text() -> None:
    out, _ = both([assistant(call("a")), user(result("a")), user(result("a", "late"))])
    assert out[1] == user(result("a"))
    assert out[2] == user(Text("[result of an earlier tool call a]\nlate"))


def test_empty_turns_of_the_client_stay() -> None:
    turns = [assistant(call("a")), user(result("a")), user(), Turn("system", [])]
    assert both(turns) == (turns, [])


def test_the_name_of_a_turn_stays() -> None:
    out, _ = both([assistant(call("a")), Turn("user", [Text("x"), result("a")], "Ann")])
    assert out[1].name == "Ann"


IDS = st.sampled_from("abc")
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(call, IDS),
    st.builds(result, IDS, st.sampled_from("12")),
    st.just(Text("t")),
    st.just(Opaque("x", Raw(b"{}"), "chat")),
)
ROLES: st.SearchStrategy[Role] = st.sampled_from(["user", "assistant", "system", "user"])
TURNS = st.lists(st.builds(Turn, ROLES, st.lists(PARTS, max_size=5)), max_size=9)


def kept(turn: Turn) -> Turn:
    """The turn as a reader would make it: calls by the assistant, results by the user."""
    apart = ToolResult if turn.role == "assistant" else ToolCall
    parts = [part for part in turn.parts if not isinstance(part, apart)]
    if turn.role == "system":
        parts = [part for part in parts if isinstance(part, Text)]
    return Turn(turn.role, parts)


def dangling(turns: list[Turn]) -> bool:
    """Whether calls of the last assistant turn still wait for a result."""
    starts = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    if not starts:
        return False
    calls = {part.id for part in turns[starts[-1]].parts if isinstance(part, ToolCall)}
    later = [part for turn in turns[starts[-1] + 1 :] for part in turn.parts]
    return not calls <= {part.call_id for part in later if isinstance(part, ToolResult)}


@given(TURNS)
def test_every_call_has_one_result_right_after_it(raw: list[Turn]) -> None:
    turns = [kept(turn) for turn in raw]
    out, _ = both(turns)
    for at, turn in enumerate(out):
        found = [part.call_id for part in turn.parts if isinstance(part, ToolResult)]
        assert all(isinstance(part, ToolResult) for part in turn.parts[: len(found)])
        before = out[at - 1].parts if at and out[at - 1].role == "assistant" else []
        ids = dict.fromkeys(part.id for part in before if isinstance(part, ToolCall))
        assert found == list(ids)


@given(TURNS)
def test_the_output_of_a_beginning_is_the_beginning_of_the_output(raw: list[Turn]) -> None:
    turns = [kept(turn) for turn in raw]
    whole, _ = both(turns)
    for end in range(1, len(turns) + 1):
        if turns[end - 1].role == "user" and not dangling(turns[:end]):
            out, _ = both(turns[:end])
            assert whole[: len(out)] == out


@given(TURNS)
def test_the_input_is_not_changed(turns: list[Turn]) -> None:
    before = copy.deepcopy(turns)
    both(turns)
    assert turns == before
