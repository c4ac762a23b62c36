"""The supervisor's side of the lines to its workers: passes questions on, gathers the answers.

On a topic that is kept, all workers there have been are heard in each answer: for one that has
ended, or does not answer in time, what it said last. So a figure that only grows never shrinks.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping

from gateway.workers.peers import (
    PATIENCE,
    Answer,
    Answers,
    Ask,
    Keep,
    Leaving,
    Message,
    PeerConnection,
    Ready,
    Tell,
)

_ENDED = 100
"""Workers that have ended, and whose words are kept where none are folded; the oldest go first."""
Reducer = Callable[[bytes, bytes], bytes]
"""Makes one answer of two, so that what ended workers said does not grow with their number."""


class MessageBroker:
    """The ends of all lines."""

    def __init__(self, folds: Mapping[str, Reducer] | None = None) -> None:
        self._folds = folds or {}
        self._wires: dict[int, PeerConnection] = {}
        self._open: dict[int, _Question] = {}
        self._kept: dict[PeerConnection, dict[str, bytes]] = {}
        self._ended: dict[str, list[bytes]] = {}
        self._last = 0

    @property
    def places(self) -> set[int]:
        """Where there are workers that serve."""
        return set(self._wires)

    async def join(
        self,
        place: int,
        end: socket.socket,
        on_ready: Callable[[], None],
        on_leaving: Callable[[], None] = lambda: None,
    ) -> PeerConnection:
        """A worker's line; the wire is what it is told on."""

        def heard(message: Message) -> None:
            if isinstance(message, Ready):
                on_ready()
                self._wires[place] = wire
            elif isinstance(message, Leaving):
                on_leaving()
            else:
                self._heard(place, wire, message)

        def lost() -> None:
            if self._wires.get(place) is wire:
                del self._wires[place]
            for ident, question in list(self._open.items()):
                if question.waiting.get(place) is wire:
                    self._gather(place, Answer(ident, None))
            for topic, body in self._kept.pop(wire, {}).items():
                self._fold(topic, body)

        wire = PeerConnection(heard, lost)
        await wire.open(end)
        return wire

    def _heard(self, place: int, wire: PeerConnection, message: Message) -> None:
        if isinstance(message, Ask):
            self._pass_on(wire, message)
        elif isinstance(message, Answer):
            self._gather(place, message)
        elif isinstance(message, Tell):
            for other in self._wires.values():
                if other is not wire:
                    other.send(message)
        elif isinstance(message, Keep):
            self._kept.setdefault(wire, {})[message.topic] = message.body

    def _pass_on(self, wire: PeerConnection, ask: Ask) -> None:
        # Not by place: a worker that drains shares its own with the one that took it over.
        chosen = (
            [ask.to] if ask.to else [at for at, each in self._wires.items() if each is not wire]
        )
        self._last = ident = self._last + 1
        question = _Question(wire, ask)
        if not ask.to:
            question.bodies += self._ended.get(ask.topic, [])
            question.bodies += self._of_leaving(ask.topic, wire)
        for place in chosen:
            other = self._wires.get(place)
            if other is None:
                continue
            question.waiting[place] = other
            if not other.send(Ask(ident, ask.topic, ask.about)):
                self._missed(question, place)
        if not question.waiting:
            wire.send(Answers(ask.id, question.bodies))
            return
        self._open[ident] = question
        asyncio.get_running_loop().call_later(PATIENCE, self._close, ident)

    def _of_leaving(self, topic: str, asker: PeerConnection) -> list[bytes]:
        """What workers said last that have been replaced, and are not yet gone."""
        here = {*self._wires.values(), asker}
        kept = self._kept.items()
        return [said[topic] for wire, said in kept if topic in said and wire not in here]

    def _gather(self, place: int, answer: Answer) -> None:
        question = self._open.get(answer.id)
        if question is None or place not in question.waiting:
            return
        if answer.body is None:
            self._missed(question, place)
        else:
            wire = question.waiting.pop(place)
            question.bodies.append(answer.body)
            if answer.keep:
                self._kept.setdefault(wire, {})[question.ask.topic] = answer.body
        if not question.waiting:
            self._close(answer.id)

    def _missed(self, question: "_Question", place: int) -> None:
        """The worker there does not answer: what it said last on a topic that is kept holds."""
        wire = question.waiting.pop(place)
        said = self._kept.get(wire, {})
        if not question.ask.to and question.ask.topic in said:
            question.bodies.append(said[question.ask.topic])

    def _close(self, ident: int) -> None:
        question = self._open.pop(ident, None)
        if question is not None:
            for place in list(question.waiting):
                self._missed(question, place)
            question.asker.send(Answers(question.ask.id, question.bodies))

    def _fold(self, topic: str, body: bytes) -> None:
        fold, ended = self._folds.get(topic), self._ended.setdefault(topic, [])
        if fold is not None and ended:
            ended[0] = fold(ended[0], body)
        else:
            ended.append(body)
            del ended[:-_ENDED]


class _Question:
    def __init__(self, asker: PeerConnection, ask: Ask) -> None:
        self.asker = asker
        self.ask = ask
        self.waiting: dict[int, PeerConnection] = {}
        self.bodies: list[bytes] = []
