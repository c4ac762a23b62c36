from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, strategies as st
from msgspec import Raw

from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    Ending,
    Event,
    KeepAlive,
    Message,
    MessageEnd,
    MessageStart,
    Opaque,
    Part,
    PartEnd,
    Redacted,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    TextStart,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolStart,
    Usage,
)
from gateway.neutral.fold import MessageBuilder, build_message, message_events

_words = st.text(max_size=12)
_citations = st.builds(Citation, st.just(Raw(b"{}")), _words, _words, _words)
_signed = st.builds(Thinking, _words, _words, _words)
_parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, _words, citations=st.lists(_citations, max_size=2)),
    st.builds(Thinking, _words),
    _signed,
    st.builds(Redacted, _words, _words),
    st.builds(ToolCall, _words, _words, _words, st.booleans()),
    st.builds(Refusal, _words),
)
_endings = st.builds(
    Ending, st.sampled_from(["end_turn", "tool_use", "max_tokens"]), st.none() | _words,
    usage=st.builds(Usage, st.integers(0, 9), st.integers(0, 9)),
)  # fmt: skip


def _apart(parts: list[Part]) -> bool:
    """Whether no two refusals stand together: they would be one."""
    return not any(isinstance(a, Refusal) and isinstance(b, Refusal) for a, b in pairwise(parts))


_messages = st.builds(
    Message, _words, _words, st.lists(_parts, max_size=5).filter(_apart), _endings
)


@given(message=_messages)
def test_a_message_comes_back_from_its_events(message: Message) -> None:
    assert build_message(message_events(message)) == message


def _torn(events: Iterator[Event], at: int) -> Iterator[Event]:
    """The same events, each delta in two and a sign of life between."""
    for event in events:
        if isinstance(event, TextDelta | ThinkingDelta | ArgumentsDelta):
            yield type(event)(event.text[:at])
            yield KeepAlive()
            yield type(event)(event.text[at:])
        else:
            yield event


@given(message=_messages, at=st.integers(0, 12))
def test_deltas_may_come_in_any_pieces(message: Message, at: int) -> None:
    assert build_message(_torn(message_events(message), at)) == message


@given(message=_messages)
def test_events_that_do_not_end_make_no_message(message: Message) -> None:
    assert build_message(list(message_events(message))[:-1]) is None


def test_what_follows_the_end_is_no_part() -> None:
    events: list[Event] = [MessageStart("i", "m"), MessageEnd(Ending("end_turn")), TextStart()]
    assert build_message([*events, TextDelta("a"), PartEnd()]) == build_message(events[:2])


def test_a_part_without_events_is_kept_in_its_place() -> None:
    builder = MessageBuilder()
    opaque = Opaque("new", Raw(b"{}"), "messages")
    for event in (MessageStart("i", "m"), RefusalDelta("no")):
        builder.add(event)
    builder.add_part(opaque)
    builder.add_part(None)
    builder.add(MessageEnd(Ending("end_turn")))
    assert builder.message is not None
    assert builder.message.parts == [Refusal("no"), opaque]


def test_the_words_of_a_refusal_join() -> None:
    ending = Ending("end_turn")
    message = build_message(
        [MessageStart("i", "m"), RefusalDelta("I "), RefusalDelta("won't"), MessageEnd(ending)]
    )
    assert message == Message("i", "m", [Refusal("I won't")], ending)


def test_each_part_has_its_own_deltas() -> None:
    ending = Ending("tool_use")
    events: list[Event] = [
        MessageStart("i", "m"), TextStart(), TextDelta("a"), PartEnd(), ToolStart("c", "f"),
        ArgumentsDelta("{"), ArgumentsDelta("}"), PartEnd(), MessageEnd(ending),
    ]  # fmt: skip
    assert build_message(events) == Message("i", "m", [Text("a"), ToolCall("c", "f", "{}")], ending)
