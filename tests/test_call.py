"""A target, and what goes there as it is."""

import pytest

from gateway.call import Target
from gateway.capability.record import Capability
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.completions import COMPLETIONS
from gateway.dialects.embeddings import EMBEDDINGS
from gateway.dialects.messages import MESSAGES


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
    assert Target("p", "m", (spoken,), capability).takes(dialect) is native
