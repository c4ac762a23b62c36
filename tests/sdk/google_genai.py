"""The official google-genai client, asked one thing; run in an environment of its own.

`python google_genai.py TASK` with a JSON object: `url`, `key`, `model`, `task` and what it takes.
Prints what the client made of the answer as one line of JSON.
"""

import asyncio
import json  # noqa: TID251  # this environment has no msgspec
import sys
from collections.abc import Callable
from typing import Any

from google import genai
from google.genai import errors, types

Told = dict[str, Any]


def seen(answer: Any) -> Told:
    """What an answer, or a piece of one, says."""
    (candidate,) = answer.candidates
    content = candidate.content
    return {
        "parts": [part.model_dump(exclude_none=True, mode="json") for part in content.parts or []],
        "finish": candidate.finish_reason and candidate.finish_reason.value,
        "message": candidate.finish_message,
        "total": answer.usage_metadata and answer.usage_metadata.total_token_count,
        "model": answer.model_version,
        "text": answer.text,
    }


def generate(client: Any, given: Told) -> Any:
    """A whole answer."""
    return seen(client.models.generate_content(**_asked(given)))


def stream(client: Any, given: Told) -> Any:
    """An answer in pieces, and the error that ended it."""
    pieces: list[Told] = []
    try:
        pieces += (seen(piece) for piece in client.models.generate_content_stream(**_asked(given)))
    except errors.APIError as error:
        return {"pieces": pieces, "error": _error(error)}
    return {"pieces": pieces}


def astream(client: Any, given: Told) -> Any:
    """The same through the asynchronous client."""

    async def gather() -> list[Told]:
        pieces = await client.aio.models.generate_content_stream(**_asked(given))
        return [seen(piece) async for piece in pieces]

    return {"pieces": asyncio.run(gather())}


def chat(client: Any, given: Told) -> Any:
    """Two turns of a session: a call, then its responses; `drop` forgets the thoughts shown."""
    config = types.GenerateContentConfig(**given.get("config", {}))
    session = client.chats.create(model=given["model"], config=config)
    first = _said(session, "hello", streamed=given["streamed"])
    if given.get("drop"):
        history = [
            types.Content(role=one.role, parts=[part for part in one.parts if not part.thought])
            for one in session.get_history()
        ]
        kept = [one for one in history if one.parts]
        session = client.chats.create(model=given["model"], config=config, history=kept)
    responses = [
        types.Part.from_function_response(name=name, response={"result": name})
        for name in given["answered"]
    ]
    return {"first": first, "second": _said(session, responses, streamed=given["streamed"])}


def _said(session: Any, message: Any, *, streamed: bool) -> list[Told]:
    if streamed:
        return [seen(piece) for piece in session.send_message_stream(message)]
    return [seen(session.send_message(message))]


def count(client: Any, given: Told) -> Any:
    """A count."""
    asked = {name: given[name] for name in ("model", "contents")}
    return client.models.count_tokens(**asked).total_tokens


def models(client: Any, given: Told) -> Any:
    """The names of all models, page by page, and one of them."""
    names = [model.name for model in client.models.list(config={"page_size": 2})]
    return {"names": names, "one": client.models.get(model=given["model"]).name}


def _asked(given: Told) -> Told:
    config = given.get("config")
    contents = given.get("contents", "hello")
    asked: Told = {"model": given["model"], "contents": contents}
    return asked | ({"config": types.GenerateContentConfig(**config)} if config else {})


def _error(error: Any) -> Told:
    return {
        "class": type(error).__name__,
        "code": error.code,
        "status": error.status,
        "message": error.message,
    }


TASKS: dict[str, Callable[[Any, Told], Any]] = {
    "generate": generate, "stream": stream, "astream": astream, "chat": chat, "count": count,
    "models": models,
}  # fmt: skip


def main(given: Told) -> None:
    """Does one task."""
    options = types.HttpOptions(
        base_url=given["url"],
        api_version=given.get("version"),
        timeout=20_000,
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    client = genai.Client(
        api_key=given["key"], http_options=options, vertexai=given.get("vertexai", False)
    )
    try:
        told = TASKS[given["task"]](client, given)
    except errors.APIError as error:
        told = {"error": _error(error)}
    print(json.dumps(told))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
