import re

import pytest
from hypothesis import given, strategies as st

from gateway.call import Record
from gateway.capability.record import Capability
from gateway.dialect import Conversion, Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.chat.digest import is_usage_only
from gateway.dialects.messages import MESSAGES
from gateway.errors import BadAnswer, Cut, Refused
from gateway.lanes.recode import Transcoder
from gateway.lanes.relay import HOLD_LIMIT, Relay, merged
from gateway.neutral.events import Ending, Event, MessageEnd, Prompt, TextDelta, Usage
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.secret import Secret
from gateway.wire.sse import Frame
from tests.fakes import calls
from tests.faults.wires import PINGS, Dialect as Name, fault_event, stream

DIALECTS: dict[Name, Dialect] = {"chat": CHAT, "messages": MESSAGES}
ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
both = pytest.mark.parametrize("name", ["chat", "messages"])


def relay(name: Name = "chat") -> Relay:
    return Relay(DIALECTS[name], Record(0.0))


def relayed(lane: Relay, *chunks: bytes) -> list[bytes]:
    """What comes of each chunk, and of the end."""
    return [*(lane.feed(chunk) for chunk in chunks), lane.finish()]


@both
def test_whole_events_pass_as_they_came(name: Name) -> None:
    lane = relay(name)
    frames = stream(name)
    assert relayed(lane, *frames) == [*frames, b""]
    assert lane.error is None


def test_an_unfinished_event_waits_for_its_end() -> None:
    lane = relay()
    assert lane.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert lane.feed(b"345") == b""
    assert lane.feed(b"6\n") == b""
    assert lane.feed(b"\ndata: 7") == b"data: 23456\n\n"
    assert lane.feed(b"\n\n") == b"data: 7\n\n"


@pytest.mark.parametrize("end", ENDS)
def test_a_blank_line_split_over_chunks_ends_an_event(end: bytes) -> None:
    for at in range(1, len(end)):
        lane = relay()
        first = lane.feed(b"data: 1" + end[:at])
        assert first + lane.feed(end[at:]) == b"data: 1" + end


@both
@given(data=st.data())
def test_however_a_stream_is_cut_its_bytes_pass_and_only_whole_events(
    name: Name, data: st.DataObject
) -> None:
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    whole = b"".join(stream(name, "a", "b" * 50, "ü")).replace(b"\n", end.encode())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    lane = relay(name)
    out = relayed(lane, *chunks)
    assert b"".join(out) == whole
    assert lane.error is None
    assert all(not piece or piece.endswith(ENDS) for piece in out)


def test_nothing_between_two_halves_of_a_blank_line_hides_the_first() -> None:
    lane = relay()
    assert lane.feed(b"data: 1\r\n\r") + b"".join(lane.feed(b"") for _ in range(5)) == b""
    assert lane.feed(b"\n") == b"data: 1\r\n\r\n"


def test_an_event_over_the_limit_is_passed_on_in_pieces() -> None:
    lane = relay()
    piece = b"x" * (HOLD_LIMIT // 4)
    assert [len(lane.feed(piece)) for _ in range(5)] == [0, 0, 0, HOLD_LIMIT, 0]
    assert lane.feed(b"\n\n") == piece + b"\n\n"


@both
def test_a_stream_without_its_ending_is_cut(name: Name) -> None:
    lane = relay(name)
    frames = stream(name)[:2]
    assert relayed(lane, *frames) == [*frames, b""]
    assert isinstance(lane.error, Cut)


@both
def test_an_unfinished_event_at_the_cut_is_dropped(name: Name) -> None:
    lane = relay(name)
    first, second, *_ = stream(name)
    assert relayed(lane, first, second[:-5]) == [first, b"", b""]
    assert isinstance(lane.error, Cut)


@both
def test_a_last_event_without_its_blank_line_gets_one(name: Name) -> None:
    lane = relay(name)
    whole = b"".join(stream(name))
    assert b"".join(relayed(lane, whole[:-2])) == whole
    assert lane.error is None


@both
def test_an_error_within_a_stream_never_quotes_the_key(name: Name) -> None:
    key = b"sk-of-the-gateway-0123456789"
    record = Record(0.0, secret=Secret(key.decode()))
    frames = [*stream(name)[:2], fault_event(name, f"the key {key.decode()} is unknown")]
    whole = b"".join(frames)
    masked = whole.replace(key, b"***")
    assert masked != whole
    for at in range(len(whole) + 1):  # also where a read ends within the key
        lane = Relay(DIALECTS[name], record)
        assert b"".join(relayed(lane, whole[:at], whole[at:])) == masked
    lane = Relay(DIALECTS[name], record)
    assert b"".join(relayed(lane, whole[:-2])) == masked


@given(
    st.lists(
        st.text(max_size=5) | st.sampled_from([",", '"', '","', '",', "\\", "\x7f"]), max_size=20
    ),
    st.integers(1, 9),
)
def test_many_events_of_one_read_become_what_they_do_one_by_one(
    texts: list[str], size: int
) -> None:
    frames = stream("chat", "a", *texts, '","', '"')
    ways = [Conversion(Prompt("m", []), "p", "m", "m", Capability(), LossReport(), Seal(b"k"))] * 2
    one, many = (Transcoder(CHAT.reader(way), MESSAGES.writer(way), Record(0.0)) for way in ways)
    told = b"".join(one.feed(frame) for frame in frames)
    reads = [b"".join(frames[at : at + size]) for at in range(0, len(frames), size)]
    assert b"".join(many.feed(read) for read in reads) == told


def test_an_answer_may_hold_what_happens_to_be_the_key() -> None:
    lane = Relay(CHAT, Record(0.0, secret=Secret("ollama")))
    frames = stream("chat", "ollama runs here")
    assert relayed(lane, *frames) == [*frames, b""]


@both
def test_an_upstreams_own_error_is_not_followed_by_another(name: Name) -> None:
    lane = relay(name)
    frames = [*stream(name)[:2], fault_event(name)]
    assert relayed(lane, *frames) == [*frames, b""]
    assert lane.error is None


def test_text_that_speaks_of_an_error_is_no_error() -> None:
    lane = relay()
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"an \\"error\\": {}"}}]}\n\n'
    relayed(lane, chunk)
    assert isinstance(lane.error, Cut)


TOLD = {
    "chat": b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}\n\n',
    "messages": b'event: message_delta\ndata: {"type":"message_delta","delta":{},'
    b'"usage":{"input_tokens":7,"output_tokens":9}}\n\n',
}


@both
def test_usage_is_read_on_the_side(name: Name) -> None:
    record = Record(0.0)
    lane = Relay(DIALECTS[name], record)
    for frame in (*stream(name), TOLD[name]):
        assert lane.feed(frame) == frame
    assert record.usage == Usage(7, 9)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_usage_is_read_however_its_event_is_cut(size: int) -> None:
    record = Record(0.0)
    lane = Relay(CHAT, record)
    told = TOLD["chat"] + b"data: [DONE]\n\n"
    relayed(lane, *(told[at : at + size] for at in range(0, len(told), size)))
    assert record.usage == Usage(7, 9)


EXTRA = b'data: {"id":"x","choices": [],"usage": {"prompt_tokens":7,"completion_tokens":9}}'


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", [1, 5, 64, 10_000])
def test_usage_that_nobody_asked_for_is_counted_and_goes_no_further(size: int, end: bytes) -> None:
    record = Record(0.0)
    lane = Relay(CHAT, record, is_usage_only)
    *events, done = (event.replace(b"\n\n", end) for event in stream("chat", "a", '"usage":{}'))
    whole = b"".join([*events, EXTRA + end, done])
    out = relayed(lane, *(whole[at : at + size] for at in range(0, len(whole), size)))
    assert b"".join(out) == b"".join([*events, done])
    assert all(not piece or piece.endswith(end) for piece in out)
    assert (record.usage, lane.error) == (Usage(7, 9), None)


def test_an_extra_usage_event_that_ends_a_stream_without_its_blank_line_goes_too() -> None:
    lane = relay_without_usage()
    *events, _ = stream("chat")
    assert b"".join(relayed(lane, *events, EXTRA)) == b"".join(events)
    assert lane.error is None


@pytest.mark.parametrize(
    "kept",
    [
        b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7}}',
        b'data: {"choices":[],"usage":null,"prompt_filter_results":[]}',
        b'data: {"choices":[],"usage":{},"error":{"message":"no"}}',
        b'data: {"usage":{',
        b': a comment with "usage":{',
    ],
)
def test_what_tells_more_than_the_usage_is_kept(kept: bytes) -> None:
    assert relay_without_usage().feed(kept + b"\n\n") == kept + b"\n\n"


def relay_without_usage() -> Relay:
    return Relay(CHAT, Record(0.0), is_usage_only)


def test_an_edit_sees_whole_events_only() -> None:
    seen: list[bytes] = []

    def shout(events: bytes) -> bytes:
        seen.append(events)
        return events.upper()

    lane = Relay(CHAT, Record(0.0), None, shout)
    assert relayed(lane, b"data: a\n", b"\ndata: [done]", b"\n\n")[:3] == [
        b"", b"DATA: A\n\n", b"DATA: [DONE]\n\n",
    ]  # fmt: skip
    assert seen == [b"data: a\n\n", b"data: [done]\n\n"]


def test_usage_of_an_opening_message_is_read_on_the_side() -> None:
    record = Record(0.0)
    lane = Relay(MESSAGES, record)
    for frame in stream("messages"):
        lane.feed(frame)
    assert record.usage == Usage(3, 2)


def test_later_usage_wins_where_it_says_something() -> None:
    first = Usage(7, 1, 2, 3, None)
    assert merged(None, first) is first
    assert merged(first, Usage(0, 9, 0, 0, 4)) == Usage(7, 9, 2, 3, 4)
    assert merged(first, Usage(8, 9)) == Usage(8, 9, 2, 3, None)


class FakeReader:
    """Reads the words of a frame; `bad` and `end` are special."""

    def __init__(self) -> None:
        self.ended = False
        self.cut = False

    def read(self, frame: Frame) -> list[Event]:
        if frame.data == b"bad":
            raise BadAnswer("nonsense")
        if frame.data == b"end":
            self.ended = True
            return [MessageEnd(Ending("end_turn", usage=Usage(1, 2)))]
        return [TextDelta(word) for word in frame.data.decode().split()]

    def finish(self) -> list[Event]:
        if self.ended:
            return []
        raise Cut("early")


class FakeWriter:
    """Writes words between angle brackets."""

    def write(self, event: Event) -> bytes:
        return f"<{event.text}>".encode() if isinstance(event, TextDelta) else b"<.>"


def recode() -> tuple[Transcoder, Record]:
    record = Record(0.0)
    return Transcoder(FakeReader(), FakeWriter(), record), record


def test_frames_become_events_become_frames() -> None:
    lane, record = recode()
    assert lane.feed(b"data: a b\n\ndata: c") == b"<a><b>"
    assert lane.feed(b" d\n\n") == b"<c><d>"
    assert (lane.done, lane.error) == (False, None)
    assert lane.feed(b"data: end\n\n") == b"<.>"
    assert (lane.done, lane.error) == (True, None)
    assert record.usage == Usage(1, 2)
    assert lane.finish() == b""


def test_what_came_before_a_fault_is_written_and_the_fault_is_kept() -> None:
    lane, _ = recode()
    assert lane.feed(b"data: a\n\ndata: bad\n\ndata: b\n\n") == b"<a>"
    assert isinstance(lane.error, BadAnswer)
    assert not lane.done


def test_an_early_end_is_cut_after_what_was_pending() -> None:
    lane, _ = recode()
    assert lane.feed(b"data: a\n\ndata: b") == b"<a>"
    out = lane.finish()
    assert out in (b"<b>", b"")  # an event without its blank line is said or not, but the cut is
    assert isinstance(lane.error, Cut)


def test_an_end_without_its_blank_line_is_an_end() -> None:
    lane, record = recode()
    lane.feed(b"data: a\n\ndata: end")
    assert lane.finish() == b"<.>"
    assert lane.error is None
    assert record.usage == Usage(1, 2)


@pytest.mark.parametrize("theirs", ["chat", "messages"])
def test_an_error_event_ends_a_recoded_stream(theirs: Name) -> None:
    ours: Name = "messages" if theirs == "chat" else "chat"
    conversion = Conversion(
        Prompt("m", []), "p", "m", "m", calls.make_target().capability, LossReport(), Seal(b"test"),
    )  # fmt: skip
    lane = Transcoder(
        DIALECTS[theirs].reader(conversion), DIALECTS[ours].writer(conversion), Record(0.0)
    )
    out = b"".join(
        lane.feed(frame) for frame in [*stream(theirs, "hello")[:-2], fault_event(theirs)]
    )
    assert b"hello" in out
    assert isinstance(lane.error, Refused)
    assert lane.error.status == 429
    assert b"[DONE]" not in out
    assert b"message_stop" not in out
    assert PINGS[ours] not in out or ours == "messages"


# --- text by its surroundings ---------------------------------------------------------------------


@both
@given(
    texts=st.lists(st.text(max_size=20) | st.sampled_from(['"', "\\", "}", '"content":"', "\n\n"])),
    cuts=st.lists(st.integers(0, 20_000), max_size=8),
    odd=st.integers(0, 30),
)
def test_text_told_by_its_surroundings_is_what_reading_it_tells(
    name: Name, texts: list[str], cuts: list[int], odd: int
) -> None:
    frames = stream(name, *texts)
    # one event of another kind among them, which must not be taken for text
    frames.insert(min(1 + odd, len(frames) - 2), b'data: {"type":"ping","choices":[]}\n\n')
    whole = b"".join(frames)
    at = sorted(cut % (len(whole) + 1) for cut in cuts)
    chunks = [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True)]
    ways = [recoding(name), recoding(name)]
    ways[1]._around_ours = None  # every event is read
    told = [b"".join([*map(lane.feed, chunks), lane.finish()]) for lane in ways]
    first, second = (re.sub(rb'"created":\d+', b"", each) for each in told)
    assert first == second
    assert [lane.error for lane in ways] == [None, None]


def recoding(name: Name) -> Transcoder:
    """From this dialect into the other."""
    conversion = Conversion(
        Prompt("m", []), "up", "m", "alias", Capability(), LossReport(), Seal(b"test")
    )
    other = MESSAGES if name == "chat" else CHAT
    return Transcoder(DIALECTS[name].reader(conversion), other.writer(conversion), Record(0.0))
