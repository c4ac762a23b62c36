"""A Gemini stream as neutral events, however it is cut."""

import random
from typing import Any

import pytest

from gateway.call import Record
from gateway.dialects.chat import CHAT
from gateway.dialects.common.signatures import GEMINI_CALL_SIGNATURE, LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.gemini import GEMINI
from gateway.errors import BadAnswer, Cut, Refused
from gateway.lanes.recode import Transcoder
from gateway.neutral.events import (
    ArgumentsDelta,
    CitationAdded,
    Ending,
    Event,
    MessageEnd,
    MessageStart,
    PartEnd,
    Reasoning,
    RedactedThinking,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    Tool,
    ToolStart,
    Usage,
    WebSearch,
)
from gateway.wire.sse import Frame, data_frame
from tests.dialects.gemini.conversions import (
    Json,
    Memory,
    asked,
    call,
    conversion,
    encoded,
    event,
    events,
    kinds,
    tools,
)

START = MessageStart("r1", "gemini-real")
COUNTS = {"promptTokenCount": 1000, "candidatesTokenCount": 10, "thoughtsTokenCount": 20,
          "cachedContentTokenCount": 900, "totalTokenCount": 1030}  # fmt: skip
USAGE = Usage(100, 30, 900, 0, 20)


def ended(stop: Any = "end_turn", **rest: Any) -> MessageEnd:
    return MessageEnd(Ending(stop, **rest))


def test_text_of_several_events_is_one_part() -> None:
    told = [
        event({"text": "Hel"}, usageMetadata=COUNTS | {"candidatesTokenCount": 1}),
        event({"text": "lo"}, finish="STOP", usageMetadata=COUNTS),
    ]
    assert events(conversion(), *told) == [
        START, TextStart(), TextDelta("Hel"), TextDelta("lo"), PartEnd(), ended(usage=USAGE),
    ]  # fmt: skip


def test_thoughts_come_before_and_their_signature_ends_them() -> None:
    told = [
        event({"text": "hm", "thought": True}),
        event({"text": "m", "thought": True, "thoughtSignature": "S"}),
        event({"text": "x"}, finish="STOP"),
    ]
    assert events(conversion(), *told) == [
        START, ThinkingStart(), ThinkingDelta("hm"), ThinkingDelta("m"),
        Signature("S", "gemini"), PartEnd(),
        TextStart(), TextDelta("x"), PartEnd(), ended(),
    ]  # fmt: skip


def test_case_28_parallel_calls_come_whole_the_first_one_signed() -> None:
    way = conversion(asked(tools=tools("f", "g")))
    way.signed = memory = Memory()
    told = event(call("f", {"x": 1.0}, "S", "up-1"), call("g", None), finish="STOP")
    found = events(way, told)
    made = found[5].id if isinstance(found[5], ToolStart) else ""
    assert found == [
        START,
        RedactedThinking("S", GEMINI_CALL_SIGNATURE),
        ToolStart("up-1", "f"),
        ArgumentsDelta('{"x":1.0}'),
        PartEnd(),
        ToolStart(made, "g"),
        ArgumentsDelta("{}"),
        PartEnd(),
        ended("tool_use"),
    ]
    assert made.startswith("call_")
    assert made == [each.id for each in events(way, told) if isinstance(each, ToolStart)][1]
    assert memory.held == {"up-1": "S"}


def test_calls_without_ids_in_answers_without_one_are_told_apart() -> None:
    told = event(call("f", {}), call("f", {}), finish="STOP", responseId=None)
    ids = [
        each.id
        for each in events(
            conversion(),
            told,
        )
        if isinstance(each, ToolStart)
    ]
    ids += [each.id for each in events(conversion(), told) if isinstance(each, ToolStart)]
    assert len(set(ids)) == 4


def test_names_and_free_texts_are_the_clients() -> None:
    from gateway.dialect import ToolNames

    way = conversion(asked(tools=[Tool("my tool"), Tool("p", custom=True)]))
    way.names = ToolNames({"my tool": "my_tool"})
    told = event(call("my_tool", {}), call("p", {"input": "a\nb"}), finish="STOP")
    found = events(way, told)
    assert [each.name for each in found if isinstance(each, ToolStart)] == ["my tool", "p"]
    assert ArgumentsDelta("a\nb") in found


SIGNED = event({"text": "a"}, {"text": "b", "thoughtSignature": "S"},
               {"text": "", "thoughtSignature": "T"}, finish="STOP")  # fmt: skip


@pytest.mark.parametrize(
    "members", [{"tools": tools("f")}, {"reasoning": Reasoning("adaptive")}], ids=str
)
def test_signed_texts_are_told_apart_for_clients_that_carry_signatures(members: Json) -> None:
    assert events(conversion(asked(**members)), SIGNED)[1:] == [
        TextStart(), TextDelta("a"), PartEnd(), TextStart(), TextDelta("b"), PartEnd(),
        RedactedThinking("S", TEXT_SIGNATURE), RedactedThinking("T", LONE_SIGNATURE), ended(),
    ]  # fmt: skip


def test_for_other_clients_signatures_of_texts_say_nothing() -> None:
    found = events(conversion(), SIGNED)
    assert not any(isinstance(each, RedactedThinking) for each in found)


def test_what_has_no_neutral_form_is_said_in_words() -> None:
    told = event(
        {"text": "a"},
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAA"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://x.example"}},
        {"toolCall": {"id": "x"}}, {},
        finish="STOP",
    )  # fmt: skip
    way = conversion()
    found = events(way, told)
    assert [each.text for each in found if isinstance(each, TextDelta)] == [
        "a", "```python\nprint(1)\n```\n", "```\n1\n\n```\n", "[image/png left out]",
        "[video/mp4: https://x.example]",
    ]  # fmt: skip
    assert kinds(found).count("TextStart") == kinds(found).count("PartEnd") == 5
    assert way.notes.entries == [
        "content.parts:told_in_words", "content.tool_call:unsupported_by_client",
    ]  # fmt: skip


ENDINGS: list[tuple[list[Json], str, Ending]] = [
    ([{"text": "x"}], "STOP", Ending("end_turn")),
    ([call("f", {})], "STOP", Ending("tool_use")),
    ([], "STOP", Ending("end_turn")),
    ([{"text": "x"}], "MAX_TOKENS", Ending("max_tokens")),
    ([{"text": "x"}], "CONTINUATION", Ending("max_tokens", native="CONTINUATION")),
    ([{"text": "x"}], "SAFETY",
     Ending("refusal", explanation="The answer was stopped (SAFETY).", native="SAFETY")),
    ([], "OTHER", Ending("refusal", explanation="The answer was stopped (OTHER).", native="OTHER")),
    ([{"text": "x"}], "OTHER", Ending("end_turn", native="OTHER")),
    ([{"text": "x"}], "BRAND_NEW", Ending("end_turn", native="BRAND_NEW")),
    ([{"text": "x"}], "MALFORMED_FUNCTION_CALL",
     Ending("end_turn", native="MALFORMED_FUNCTION_CALL")),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "finish", "expected"), ENDINGS)
def test_endings(parts: list[Json], finish: str, expected: Ending) -> None:
    assert events(conversion(), event(*parts, finish=finish))[-1] == MessageEnd(expected)


@pytest.mark.parametrize(
    "finish",
    ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
     "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"],
)  # fmt: skip
def test_a_slip_with_nothing_said_is_an_error_and_nothing_was_begun(finish: str) -> None:
    told = event(finish=finish)
    told["candidates"][0]["finishMessage"] = "Malformed: print(f"
    reader = GEMINI.reader(conversion())
    assert reader.read(Frame(b"", encoded(told))) == []
    with pytest.raises(Refused, match="Malformed: print") as raised:
        reader.finish()
    assert raised.value.status == 502
    assert raised.value.should_retry is not False


def test_a_blocked_prompt_is_a_refusal() -> None:
    told = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3},
            "modelVersion": "gemini-real", "responseId": "r1"}  # fmt: skip
    why = "The prompt was blocked (SAFETY)."
    assert events(conversion(), told) == [
        START, ended("refusal", explanation=why, native="SAFETY", usage=Usage(3)),
    ]  # fmt: skip


def test_case_2_a_stream_without_a_finish_reason_is_cut() -> None:
    with pytest.raises(Cut):
        events(conversion(), event({"text": "Hel"}))
    with pytest.raises(BadAnswer, match="no candidates"):
        events(conversion())
    with pytest.raises(BadAnswer, match="no candidates"):
        events(conversion(), {"usageMetadata": COUNTS})


def test_a_finish_reason_in_each_event_ends_nothing() -> None:
    told = [event({"text": "a"}, finish="STOP"), event({"text": "b"}, finish="STOP")]
    found = events(conversion(), *told)
    assert [each.text for each in found if isinstance(each, TextDelta)] == ["a", "b"]


def test_only_the_first_answer_is_told() -> None:
    told = event({"text": "a"}, finish="STOP")
    told["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}})
    assert TextDelta("b") not in events(conversion(), told)


def test_an_error_in_the_stream_is_raised() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    reader = GEMINI.reader(conversion())
    reader.read(Frame(b"", encoded(event({"text": "a"}))))
    with pytest.raises(Refused, match="overloaded") as raised:
        reader.read(Frame(b"", encoded(error)))
    assert (raised.value.status, raised.value.kind) == (503, "overloaded_error")
    with pytest.raises(BadAnswer):
        reader.read(Frame(b"", b"<html>"))
    with pytest.raises(BadAnswer):
        reader.read(Frame(b"", b'{"error":{}x'))


def test_half_a_surrogate_pair_is_replaced() -> None:
    told = encoded(event({"text": "HALF"}, finish="STOP")).replace(b"HALF", rb"a\ud83d")
    assert GEMINI.reader(conversion()).read(Frame(b"", told))[2] == TextDelta("a\ufffd")


def test_case_32_a_stop_sequence_is_enforced_here() -> None:
    way = conversion(asked(stop=["1", "2", "3", "4", "5", "END"]))
    GEMINI.write_prompt(way)
    reader = GEMINI.reader(way)
    found = reader.read(Frame(b"", encoded(event({"text": "x E"}))))
    found += reader.read(Frame(b"", encoded(event({"text": "ND y"}, call("f", {})))))
    assert found[1:] == [
        TextStart(), TextDelta("x "), PartEnd(), ended("stop_sequence", stop_sequence="END"),
    ]  # fmt: skip
    assert reader.ended
    assert reader.cut
    assert reader.read(Frame(b"", b"{")) == reader.finish() == []


def test_what_was_held_back_for_a_stop_sequence_is_told_before_a_call() -> None:
    way = conversion(asked(stop=["1", "2", "3", "4", "5", "END"]))
    GEMINI.write_prompt(way)
    found = events(way, event({"text": "x E"}), event(call("f", {}), finish="STOP"))
    said = "".join(each.text for each in found if isinstance(each, TextDelta))
    assert said == "x E"
    assert kinds(found).index("PartEnd") < kinds(found).index("ToolStart")


def test_sources_are_told_in_code_points() -> None:
    way = conversion(asked(web_search=WebSearch()))
    metadata = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 6, "endIndex": 11}, "groundingChunkIndices": [0, 7]}
        ],
    }
    last = event({"text": "wörld"}, finish="STOP")
    last["candidates"][0]["groundingMetadata"] = metadata
    found = events(way, event({"text": "höllo"}), last)
    cited = [each.citation for each in found if isinstance(each, CitationAdded)]
    assert [(each.url, each.title, each.cited_text, each.span) for each in cited] == [
        ("https://a.example", "A", "wörl", (5, 9))
    ]
    assert kinds(found)[-3:] == ["CitationAdded", "PartEnd", "MessageEnd"]
    late = event(call("f", {}), finish="STOP")
    late["candidates"][0]["groundingMetadata"] = metadata
    events(way, event({"text": "a"}), late)
    assert way.notes.entries == ["citations:without_text_dropped"]


TOLD = [
    event({"text": "hm", "thought": True}, usageMetadata=COUNTS),
    event({"text": "naïve 😀 \u2028 a\nb"}),
    event(call("f", {"a": "é"}, "S")),
    event({"text": ""}, finish="STOP", usageMetadata=COUNTS),
]


def recoded(chunks: list[bytes]) -> bytes:
    """What a Chat client gets of a stream of these chunks."""
    way = conversion(asked(stream=True, tools=tools("f"), reasoning=Reasoning("adaptive")))
    lane = Transcoder(GEMINI.reader(way), CHAT.writer(way), Record(0.0))
    told = [lane.feed(chunk) for chunk in chunks]
    told.append(lane.finish())
    assert lane.error is None
    return b"".join(told)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_a_stream_reads_the_same_however_it_is_cut(
    newline: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.dialects.chat.writer.unix_time", lambda: 1)
    whole = b"".join(data_frame(encoded(each)) for each in TOLD).replace(b"\n", newline)
    expected = recoded([whole])
    assert recoded([whole[at : at + 1] for at in range(len(whole))]) == expected
    for seed in range(5):
        dice = random.Random(seed)
        places = sorted(dice.sample(range(1, len(whole)), 40))
        cuts = zip([0, *places], [*places, len(whole)], strict=True)
        assert recoded([whole[a:b] for a, b in cuts]) == expected
    assert recoded([whole.rstrip(b"\r\n")]) == expected


def test_at_most_one_part_is_open() -> None:
    dice = random.Random(7)
    pieces: list[Json] = [
        {"text": "a"}, {"text": "t", "thought": True}, call("f", {}, "S"), call("g", {}),
        {"text": "b", "thoughtSignature": "U"}, {"text": "", "thoughtSignature": "V"},
        {"thought": True, "thoughtSignature": "W"}, {"executableCode": {"code": "x"}},
    ]  # fmt: skip
    for _ in range(200):
        chosen = [event(*dice.choices(pieces, k=dice.randint(0, 3))) for _ in range(4)]
        way = conversion(asked(tools=tools("f", "g")))
        check(events(way, *chosen, event(finish="STOP")))


def check(found: list[Event]) -> None:
    """One beginning, one ending, and each part begun and ended in turn."""
    is_open = False
    for each in found[1:-1]:
        match each:
            case TextStart() | ThinkingStart() | ToolStart():
                assert not is_open
                is_open = True
            case RedactedThinking():
                assert not is_open
            case PartEnd():
                assert is_open
                is_open = False
            case _:
                assert is_open
    assert isinstance(found[0], MessageStart)
    assert isinstance(found[-1], MessageEnd)
    assert not is_open
