"""Events of a Responses stream as bytes."""

import pytest

from gateway.dialects.responses.event_frames import EventFrames, ResponseOnly


def test_events_are_numbered_and_carry_their_name_twice() -> None:
    frames = EventFrames(7)
    assert frames.event("response.x", {"a": 1}) == (
        b'event: response.x\ndata: {"type":"response.x","sequence_number":7,"a":1}\n\n'
    )
    assert frames.response_event("response.completed", b"{}") == (
        b"event: response.completed\n"
        b'data: {"type":"response.completed","sequence_number":8,"response":{}}\n\n'
    )


@pytest.mark.parametrize(
    ("kind", "name", "rest"),
    [
        ("output_text", b"response.output_text", b',"logprobs":[]'),
        ("refusal", b"response.refusal", b""),
        ("function_call", b"response.function_call_arguments", b""),
    ],
)
def test_deltas_name_the_place_of_their_part(kind: str, name: bytes, rest: bytes) -> None:
    frames = EventFrames()
    frames.open_part(kind, {"item_id": "i", "output_index": 2})
    assert frames.delta('"') == (
        b'event: %b.delta\ndata: {"type":"%b.delta","sequence_number":0,"item_id":"i",'
        b'"output_index":2,"delta":"\\""%b}\n\n' % (name, name, rest)
    )
    assert b'"sequence_number":1,"item_id":"i"' in frames.part_event("response.x", {})


def test_a_whole_answer_is_the_last_response_alone() -> None:
    frames = ResponseOnly()
    frames.open_part("refusal", {})
    assert frames.event("response.x", {}) == frames.part_event("y", {}) == frames.delta("z") == b""
    assert frames.response_event("response.created", b"{}") == b""
    assert frames.response_event("response.incomplete", b"{1}") == b"{1}"
