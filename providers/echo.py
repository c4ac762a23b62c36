"""A provider without an upstream: it says what it was told, in every dialect, for free."""

from collections.abc import Iterator
from itertools import count

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialect import Conversion, Dialect, Writer
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.neutral.events import Ending, Event, Message, Part, Prompt, Text, TextDelta, Usage
from gateway.neutral.fold import message_events
from gateway.neutral.notes import LossReport
from gateway.plugin import Provider, Runtime
from gateway.reply import Reply, Stream
from gateway.secret import Secret

GREETING = "Hello from interlingua."


class Echo(Provider):
    """Answers with the last user message, streamed word by word where a stream is asked for."""

    prefix: str = "echo: "
    """What stands before the words that come back."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """Both dialects: nothing is converted on the way."""
        return (CHAT, MESSAGES)

    def capability(self, model: str) -> Capability:
        """What a plain Chat server takes, and legacy completions."""
        return Capability(completions=True)

    def bind(self, name: str, runtime: Runtime) -> None:
        """Takes the runtime's seal, which writers ask for."""
        self._name = name
        self._seal = runtime.seal
        self._ids = count(1)

    async def models(self, credential: Secret | None) -> bytes | None:
        """One model; any other name is taken as well."""
        return b'{"object":"list","data":[{"id":"echo","object":"model","owned_by":"interlingua"}]}'

    async def __call__(self, call: Call) -> Reply:
        """The last words of the prompt, as a whole answer or as a stream."""
        assert call.target is not None
        prompt = call.dialect.read_prompt(call.fields, LossReport())
        conversion = Conversion(
            prompt, self._name, call.target.model, call.model, call.target.capability, LossReport(),
            self._seal,
        )  # fmt: skip
        message = self._make_message(prompt, call)
        call.record.usage = message.ending.usage
        if not call.stream:
            return Reply(200, call.dialect, call.dialect.write_message(message, conversion))
        words = _EchoSource(call.dialect.writer(conversion), _split_words(message))
        return Reply(200, call.dialect, Stream(words))

    def _make_message(self, prompt: Prompt, call: Call) -> Message:
        said = _get_last_user_text(prompt)
        text = f"{self.prefix}{said}" if said else GREETING
        usage = Usage(sum(len(bytes(raw)) for raw in call.fields.values()) // 4, len(text.split()))
        ident = f"{call.id.removeprefix('req_')}{next(self._ids)}"
        return Message(ident, call.model, [Text(text)], Ending("end_turn", usage=usage))


class _EchoSource:
    """A source of one event a read."""

    def __init__(self, writer: Writer, events: Iterator[Event]) -> None:
        self._writer = writer
        self._events = events

    async def read(self) -> bytes:
        for event in self._events:
            if out := self._writer.write(event):
                return out
        return b""

    async def aclose(self) -> None:
        self._events = iter(())


def _split_words(message: Message) -> Iterator[Event]:
    for event in message_events(message):
        if isinstance(event, TextDelta):
            words = event.text.split(" ")
            yield from (TextDelta(word + " ") for word in words[:-1])
            yield TextDelta(words[-1])
        else:
            yield event


def _get_last_user_text(prompt: Prompt) -> str:
    turns: list[list[Part]] = [turn.parts for turn in prompt.turns if turn.role == "user"]
    parts = turns[-1] if turns else []
    return " ".join(part.text for part in parts if isinstance(part, Text)).strip()
