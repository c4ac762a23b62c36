"""The same calls through either official client."""

import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import anthropic
import openai
from anthropic import Anthropic
from openai import OpenAI

from tests.sdk.stage import GATEWAY_KEY, SdkGateway

Which = Literal["openai", "anthropic"]
_TRUST = ssl.create_default_context()  # making one takes longer than most of the tests


class Client:
    """One of the official clients, asked the same thing."""

    def __init__(self, own: OpenAI | Anthropic) -> None:
        self.own = own

    def ask(self, model: str) -> str:
        """The text of a whole answer."""
        if isinstance(self.own, OpenAI):
            whole = self.own.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "hello"}]
            )
            return whole.choices[0].message.content or ""
        answer = self.own.messages.create(
            model=model, max_tokens=64, messages=[{"role": "user", "content": "hello"}]
        )
        return "".join(block.text for block in answer.content if block.type == "text")

    def stream(self, model: str) -> Generator[str, None, None]:
        """The texts of a streamed answer, as they come."""
        if isinstance(self.own, OpenAI):
            with self.own.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "hello"}], stream=True
            ) as chunks:
                for chunk in chunks:
                    if chunk.choices and chunk.choices[0].delta.content:
                        yield chunk.choices[0].delta.content
            return
        with self.own.messages.create(
            model=model,
            max_tokens=64,
            messages=[{"role": "user", "content": "hello"}],
            stream=True,
        ) as events:
            for event in events:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    yield event.delta.text

    def gather(self, model: str) -> str:
        """The text of a streamed answer, through the client's own accumulator."""
        if isinstance(self.own, OpenAI):
            with self.own.chat.completions.stream(
                model=model, messages=[{"role": "user", "content": "hello"}]
            ) as stream:
                return stream.get_final_completion().choices[0].message.content or ""
        with self.own.messages.stream(
            model=model, max_tokens=64, messages=[{"role": "user", "content": "hello"}]
        ) as told:
            return told.get_final_text()


def openai_client(url: str, key: str = GATEWAY_KEY, **options: Any) -> OpenAI:
    """The OpenAI client of a gateway at that URL; it does not retry unless told to."""
    options = {"max_retries": 0, "timeout": 20} | options
    http = openai.DefaultHttpxClient(verify=_TRUST)
    return OpenAI(base_url=f"{url}/v1", api_key=key, http_client=http, **options)


def anthropic_client(url: str, key: str = GATEWAY_KEY, **options: Any) -> Anthropic:
    """The Anthropic client of a gateway at that URL; it does not retry unless told to."""
    options = {"max_retries": 0, "timeout": 20} | options
    http = anthropic.DefaultHttpxClient(verify=_TRUST)
    return Anthropic(base_url=url, api_key=key, http_client=http, **options)


@contextmanager
def connected(which: Which, stage: SdkGateway, url: str = "", **options: Any) -> Iterator[Client]:
    """A client of the stage's nginx, or of another URL."""
    made = openai_client if which == "openai" else anthropic_client
    own: OpenAI | Anthropic = made(url or stage.url, **options)
    with own:
        yield Client(own)
