"""The lane of a stream that is converted into another dialect.

As in `relay`, the client gets whole events only, so that a ping or an error may follow any chunk; a
stream that ends early at the upstream ends in an error, never in an invented ending.
"""

import msgspec

from gateway.call import Record
from gateway.dialect import Reader, Writer
from gateway.errors import GatewayError
from gateway.lanes.step import Step
from gateway.neutral.events import MessageEnd
from gateway.wire.sse import Frame, Splitter, frame_of
from gateway.wire.text_template import TextDeltaTemplate

_encode = msgspec.json.Encoder().encode
_SEAM = "\x7f"
"""Joins texts that are encoded together: rare in texts, and not escaped in JSON."""


class Transcoder(Step):
    """Converts a stream: upstream frames to neutral events to the client's frames."""

    def __init__(self, reader: Reader, writer: Writer, record: Record) -> None:
        self.done = False
        self.cut = False
        self.error: GatewayError | None = None
        self._splitter = Splitter()
        self._reader = reader
        self._writer = writer
        self._record = record
        self._groove = (
            TextDeltaTemplate()
        )  # of whole events; what runs in it is written without an event
        self._plain: TextDeltaTemplate | None = None  # that one, where it is laid
        self._before = self._after = b""  # what stands around the text then
        self._around_theirs = reader.around_text
        self._around_ours = writer.around_text
        self._wrote = writer.wrote

    def feed(self, chunk: bytes) -> bytes:
        """The client's bytes for the events that this chunk completes."""
        out: list[bytes] = []
        reader, write = self._reader, self._writer.write
        plain, wrote = self._plain, self._wrote
        try:
            blocks = self._splitter.blocks(chunk)
            if plain is not None and len(blocks) > 1:
                texts = plain.texts(blocks)
                if texts is not None:
                    return self._written(texts)
            for block in blocks:
                # Most events are a text delta, which costs a fifth without reader and writer.
                if plain is not None and (text := plain.text(block)) is not None:
                    if text:
                        out.append(self._before + _encode(text) + self._after)
                        if wrote is not None:
                            wrote(len(text))
                    continue
                frame = frame_of(block)
                if frame is None:
                    continue
                for event in reader.read(frame):
                    if type(event) is MessageEnd:
                        self._book(event)
                    out.append(write(event))
                plain = self._plain = self._laid(block, frame)
            self.done = reader.ended
            self.cut = reader.cut
        except GatewayError as error:
            self._fail(error)
        return out[0] if len(out) == 1 else b"".join(out)

    def finish(self) -> bytes:
        """The bytes of what the reader still holds; sets `error` if the stream ended too early."""
        out: list[bytes] = []
        try:
            events = [
                event for frame in self._splitter.finish() for event in self._reader.read(frame)
            ]
            for event in (*events, *self._reader.finish()):
                if isinstance(event, MessageEnd):
                    self._book(event)
                out.append(self._writer.write(event))
        except GatewayError as error:
            self._fail(error)
        return b"".join(out)

    def _written(self, texts: list[str]) -> bytes:
        """The client's bytes of several text deltas."""
        if "" in texts:
            texts = [text for text in texts if text]
            if not texts:
                return b""
        joined = _SEAM.join(texts)
        if self._wrote is not None:
            self._wrote(len(joined) - len(texts) + 1)
        between = self._after + self._before
        if joined.count(_SEAM) < len(texts):
            # Encoding one string is faster than encoding many.
            encoded = _encode(joined).replace(_SEAM.encode(), b'"' + between + b'"')
        else:
            encoded = between.join([_encode(text) for text in texts])
        return self._before + encoded + self._after

    def _laid(self, block: bytes, frame: Frame) -> TextDeltaTemplate | None:
        """The template for the text deltas that follow, from the event that was read last."""
        if self._around_theirs is None or self._around_ours is None:
            return None
        theirs, ours = self._around_theirs(), self._around_ours()
        if theirs is None or ours is None or not block.endswith(frame.data):
            return None
        self._before, self._after = ours
        self._groove.set(block[: -len(frame.data)] + theirs[0], theirs[1])
        return self._groove

    def _fail(self, error: GatewayError) -> None:
        if self._record.secret is not None:
            error.message = error.message.replace(self._record.secret.reveal(), "***")
        self.error = error

    def _book(self, event: MessageEnd) -> None:
        self._record.usage = event.ending.usage or self._record.usage
