"""The dialects that are crossed: a new one is one more row."""

from tests.pairs.chat import Chat
from tests.pairs.gemini import Gemini
from tests.pairs.messages import Messages
from tests.pairs.responses import Responses
from tests.pairs.said import Row

_CHAT: Row = Chat()
_MESSAGES: Row = Messages()
_RESPONSES: Row = Responses()
_GEMINI: Row = Gemini()
ROWS = (_CHAT, _MESSAGES, _RESPONSES, _GEMINI)
NAMED = {row.name: row for row in ROWS}
PROVIDER = """
[providers.{name}]
use = "{use}"
base_url = "{url}/{name}/v1"
{key}{form}capabilities = {capabilities}
"""
COMPATIBLE = """family = "{family}"
speaks = ["{name}"]
"""


def providers(url: str, *, keys: bool = True) -> str:
    """A provider of each dialect, named after it, at one upstream."""
    key = 'api_key = "sk-upstream-of-{}"\n' if keys else ""
    return "".join(
        PROVIDER.format(
            name=row.name,
            use="compatible" if row.family else row.name,
            form=COMPATIBLE.format(name=row.name, family=row.family) if row.family else "",
            url=url,
            capabilities=row.capabilities,
            key=key.format(row.name),
        )
        for row in ROWS
    )
