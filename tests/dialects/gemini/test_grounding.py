"""Sources of an answer and the text they stand for."""

import pytest

from gateway.dialects.gemini.grounding import read_citations
from gateway.dialects.gemini.wire import (
    GroundingChunk,
    GroundingMetadata,
    GroundingSupport,
    Segment,
    Web,
)

SOURCES = [GroundingChunk(Web("https://a.example", "A")), GroundingChunk(), GroundingChunk(Web())]
SAID = "aé😀b"  # of 1, 2, 4 and 1 bytes
SPANS: list[tuple[Segment | None, tuple[int, int] | None]] = [
    (Segment(None, 1), (0, 1)),
    (Segment(1, 3), (1, 2)),
    (Segment(3, 7), (2, 3)),
    (Segment(0, 8), (0, 4)),
    (Segment(1, 3, part_index=1), (2, 3)),
    (Segment(0, 9), None),
    (Segment(5, 2), None),
    (Segment(), None),
    (None, None),
]


@pytest.mark.parametrize(("segment", "span"), SPANS)
def test_spans(segment: Segment | None, span: tuple[int, int] | None) -> None:
    if segment is not None and segment.part_index:
        segment, starts = Segment(0, 4, part_index=1), [0, 3]
    else:
        starts = [0]
    metadata = GroundingMetadata(SOURCES, [GroundingSupport(segment, [0, 1, 2, 3, -1])])
    found = read_citations(metadata, SAID, starts)
    assert [each.span for each in found] == [span]
    assert found[0].cited_text == (SAID[span[0] : span[1]] if span else None)
    assert bytes(found[0].raw) == b'{"uri":"https://a.example","title":"A"}'


def test_nothing_is_made_of_nothing() -> None:
    assert read_citations(GroundingMetadata(), "", []) == []
    assert read_citations(GroundingMetadata(SOURCES, [GroundingSupport()]), "", []) == []
