"""Sources of an answer (`GroundingMetadata`), their spans converted from bytes to code points."""

import msgspec
from msgspec import Raw

from gateway.dialects.gemini.wire import GroundingMetadata, GroundingSupport, Segment
from gateway.neutral.events import Citation


def read_citations(metadata: GroundingMetadata, said: str, starts: list[int]) -> list[Citation]:
    """A citation for each source of each span of `said`.

    Spans count bytes of UTF-8 from the start of the part that they name, which is in `starts`; from
    the start of `said` where they name no part or the first.
    """
    sources = metadata.grounding_chunks or []
    spoken = said.encode("utf-8", "surrogatepass")
    found: list[Citation] = []
    for support in metadata.grounding_supports or ():
        span = _read_span(support.segment, spoken, starts)
        quoted = said[span[0] : span[1]] if span is not None else None
        for at in _read_chunk_indices(support, len(sources)):
            web = sources[at].web
            if web is not None and web.uri:
                raw = Raw(msgspec.json.encode(web))
                found.append(Citation(raw, web.uri, web.title, quoted, span))
    return found


def _read_chunk_indices(support: GroundingSupport, most: int) -> list[int]:
    return [at for at in support.grounding_chunk_indices or () if 0 <= at < most]


def _read_span(segment: Segment | None, spoken: bytes, starts: list[int]) -> tuple[int, int] | None:
    if segment is None or segment.end_index is None:
        return None
    part = segment.part_index or 0
    base = starts[part] if 0 < part < len(starts) else 0  # the first part: from the start of `said`
    first, last = base + (segment.start_index or 0), base + segment.end_index
    if not 0 <= first <= last <= len(spoken):
        return None
    return _count_code_points(spoken[:first]), _count_code_points(spoken[:last])


def _count_code_points(text: bytes) -> int:
    """The number of code points that begin in these bytes, an incomplete last one included."""
    return sum(1 for byte in text if byte & 0xC0 != 0x80)
