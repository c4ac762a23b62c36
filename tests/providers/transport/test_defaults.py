import msgspec
import pytest

from gateway.counting.dialects import COUNTING_DIALECTS
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.wire.raw_json import split_object
from providers.transport.defaults import DefaultParameters

GIVEN = {"seed": 7, "frequency_penalty": 0.1, "temperature": 0.2, "min_p": 0.01}
COMMON = {"temperature": 0.2, "min_p": 0.01}


def added(fields: bytes, dialect: Dialect) -> object:
    found = DefaultParameters(GIVEN).add_defaults(split_object(fields), dialect)
    return msgspec.json.decode(msgspec.json.encode(found))


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (CHAT, GIVEN), (MESSAGES, GIVEN), (RESPONSES, COMMON), (EMBEDDINGS, {}),
        *((each, {}) for each in COUNTING_DIALECTS),
    ],
)  # fmt: skip
def test_a_request_gets_what_its_dialect_knows(dialect: Dialect, expected: object) -> None:
    assert added(b"{}", dialect) == expected


def test_what_the_client_sets_stays() -> None:
    assert added(b'{"temperature":null,"seed":1}', CHAT) == GIVEN | {"temperature": None, "seed": 1}
    assert added(b'{"seed":1}', RESPONSES) == COMMON | {"seed": 1}


def test_without_defaults_the_fields_are_the_same() -> None:
    fields = split_object(b'{"a":1,"seed":1}')
    assert DefaultParameters({}).add_defaults(fields, CHAT) is fields
    assert DefaultParameters({"seed": 7}).add_defaults(fields, CHAT) is fields
