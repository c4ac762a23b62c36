"""What several processes write to one pipe."""

import os
from select import PIPE_BUF

from gateway.telemetry.log import LineWriter


def test_a_pipe_that_processes_share_gets_whole_lines() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as pipe, open(writing, "wb") as file:
        written = LineWriter(file, shared=True)
        lines = [b"%d %b\n" % (number, b"x" * 700) for number in range(30)]
        for line in lines:
            written.write(line)
        written.close()
        pieces: list[bytes] = []
        while len(b"".join(pieces)) < len(b"".join(lines)):
            pieces.append(pipe.read(PIPE_BUF))
        assert b"".join(pieces) == b"".join(lines)


def test_no_piece_is_larger_than_a_pipe_takes_whole() -> None:
    class File:
        def __init__(self) -> None:
            self.pieces: list[bytes] = []

        def write(self, data: bytes) -> int:
            self.pieces.append(data)
            return len(data)

        def flush(self) -> None: ...

    shared, alone = File(), File()
    long = b"y" * (PIPE_BUF + 1) + b"\n"
    for file, writer in ((shared, True), (alone, False)):
        written = LineWriter(file, shared=writer)  # type: ignore[arg-type]
        for line in [*[b"x" * 1000 + b"\n"] * 10, long]:
            written.write(line)
        written.close()
    assert max(len(piece) for piece in shared.pieces if piece != long) <= PIPE_BUF
    assert all(piece.endswith(b"\n") for piece in shared.pieces)
    assert long in shared.pieces
    assert b"".join(shared.pieces) == b"".join(alone.pieces)
