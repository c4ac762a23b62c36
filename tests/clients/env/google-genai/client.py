"""google-genai: a tool loop or a structured answer. Reads its task from argv, prints what came."""

import json
import sys
from typing import Any

from google import genai
from google.genai import types
from pydantic import BaseModel

TASK = json.loads(sys.argv[1])


class Place(BaseModel):
    """A city and its temperature."""

    city: str
    degrees: int


def main() -> dict[str, Any]:
    """What the client made of the task."""
    retry = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=TASK["url"], timeout=20_000, retry_options=retry)
    client = genai.Client(api_key=TASK["key"], http_options=options)
    ran: list[dict[str, str]] = []

    def lookup(city: str) -> str:
        """Tells the weather of a city."""
        ran.append({"city": city})
        return f"{city} is sunny"

    if TASK["task"] == "structured":
        shape = types.GenerateContentConfig(
            response_mime_type="application/json", response_schema=Place
        )
        told = client.models.generate_content(model=TASK["model"], contents="Oslo?", config=shape)
        assert isinstance(told.parsed, Place)
        return {"object": told.parsed.model_dump()}
    tools = types.GenerateContentConfig(tools=[lookup])
    asked = {"model": TASK["model"], "contents": "How is Oslo?", "config": tools}
    if TASK["stream"]:
        pieces = [piece.text or "" for piece in client.models.generate_content_stream(**asked)]
        return {"text": "".join(pieces), "ran": ran}
    return {"text": client.models.generate_content(**asked).text, "ran": ran}


print(json.dumps(main()))
