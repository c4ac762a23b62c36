"""One input of the fuzzer: a call of some pair, wrong in some way, and what must hold of it.

No input may make the gateway fail (its own 500), hang, or hand out what the client's official
library cannot read: that library gets an answer or raises its own error.
"""

import asyncio

import anthropic
import msgspec
import openai

from gateway.errors import GatewayError
from providers.transport.engine import Response
from tests.faults.engines import answer
from tests.fuzz.dice import Dice
from tests.fuzz.mutate import cut, encoded, mutated, worsened
from tests.pairs.house import MODEL, PairGateway, house, told
from tests.pairs.rows import ROWS
from tests.pairs.said import Ask, Called, Heard, HeardFault, ModelAnswer, Row
from tests.sdk.answers import PNG

FAULTS = (openai.APIError, anthropic.APIError, HeardFault)
CALLS = (Called("call_1", "look", '{"a":1}'), Called("functions.find:0", "find", "{}"))
ASKS = (
    Ask(),
    Ask(system="Be brief.", tools=("look", "find"), images=(PNG,)),
    Ask(
        tools=("look", "find"), calls=CALLS, thinks=True,
        results=(("call_1", "seen"), ("functions.find:0", "")),
    ),
)  # fmt: skip
SAID = (
    ModelAnswer("Well."),
    ModelAnswer("I shall look.", "Hm. Well.", CALLS, stop="tools"),
    ModelAnswer(calls=CALLS[:1], stop="tools"),
    ModelAnswer("Half of", stop="length"),
    ModelAnswer(refusal="No.", stop="refusal"),
)
STATUSES = (400, 401, 403, 404, 408, 413, 418, 422, 429, 500, 502, 503, 529, 302, 204, 201)


class Target:
    """A gateway to try inputs on."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._house: PairGateway = house()

    def close(self) -> None:
        """Ends its event loop."""
        self._runner.close()

    def __call__(self, data: bytes) -> None:
        """Tries one input. AssertionError, or the library's own crash, where it fails."""
        dice = Dice(data)
        client, upstream = dice.pick(ROWS), dice.pick(ROWS)
        stream = dice.roll(2) == 1
        body = _body(client, f"{upstream.name}:{MODEL}", dice, stream=stream)
        response = _response(upstream, dice, stream=stream)
        heard = self._runner.run(
            self._house.post(client, body, response, stream=stream, upstream=upstream)
        )
        strayed = any(
            engine.sent for name, engine in self._house.engines.items() if name != upstream.name
        )
        judge(client, heard, crossed=client is not upstream and not strayed)


def _body(client: Row, model: str, dice: Dice, *, stream: bool) -> bytes:
    value = client.ask(dice.pick(ASKS), model, stream=stream)
    if not dice.one_in(2):
        return msgspec.json.encode(value)
    for _ in range(1 + dice.roll(4)):
        value = mutated(value, dice)
    if isinstance(value, dict):
        value["model"] = model  # else nothing of it would be read
    return encoded(value, dice)


def _response(upstream: Row, dice: Dice, *, stream: bool) -> Response | GatewayError:
    said = dice.pick(SAID)
    match dice.roll(8):
        case 6:
            value = mutated(msgspec.json.decode(upstream.fault()), dice)
            return answer(encoded(value, dice), dice.pick(STATUSES))
        case 7:
            return answer(upstream.whole(said))
        case _ if stream:
            frames = worsened(upstream.stream(said), dice)
            return told(cut(b"".join(frames), dice), cut=dice.one_in(6))
        case kind:
            value = msgspec.json.decode(upstream.whole(said))
            for _ in range(kind % 4):
                value = mutated(value, dice)
            return answer(encoded(value, dice))


def judge(client: Row, heard: Heard, *, crossed: bool) -> None:
    """What must hold of whatever a client was given."""
    assert b"the gateway failed" not in heard.body, heard.body
    assert 200 <= heard.status < 600
    if not crossed:
        return  # the upstream's own bytes, whatever they are
    try:
        client.hear(heard)
    except FAULTS:
        return
    except ValueError as fault:
        # The library reads a call's arguments as they come, and has its own words for bad ones;
        # those that read them at their end are told as well.
        assert "Unable to parse tool parameter JSON" in str(fault)  # noqa: PT017
        assert b"event: error" in heard.body
        return
    assert heard.status < 400
