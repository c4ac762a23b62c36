"""Which calls a target takes without conversion."""

from dataclasses import replace

import pytest

from gateway.call import Target
from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.messages import MESSAGES
from gateway.dialects.same_dialect import takes_unconverted


@pytest.mark.parametrize(
    ("dialect", "spoken", "capability", "native"),
    [
        (CHAT, CHAT, Capability(), True),
        (MESSAGES, CHAT, Capability(), False),
        (EMBEDDINGS, CHAT, Capability(), False),
        (EMBEDDINGS, CHAT, Capability(embeddings=True), True),
        (EMBEDDINGS, MESSAGES, Capability(embeddings=True), False),
        (EMBEDDINGS, CHAT, Capability(completions=True), False),
        (COMPLETIONS, CHAT, Capability(completions=True), True),
        (COMPLETIONS, CHAT, Capability(embeddings=True), False),
        (COMPLETIONS, MESSAGES, Capability(completions=True), False),
    ],
)
def test_what_stands_beside_chat_is_asked_of_chat_servers_that_have_it(
    dialect: Dialect, spoken: Dialect, capability: Capability, native: bool
) -> None:
    assert takes_unconverted(Target("p", "m", (spoken,), capability), dialect) is native


def test_a_dialect_without_a_row_passes_as_it_is() -> None:
    plugins = replace(CHAT, name="plugins own")
    assert not takes_unconverted(Target("p", "m", (CHAT,)), plugins)
    assert takes_unconverted(Target("p", "m", (plugins,)), plugins)
