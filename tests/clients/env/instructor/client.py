"""instructor: an answer that fits a schema, asked for again where the first does not."""

import json
import sys

import instructor
from anthropic import Anthropic
from openai import OpenAI
from pydantic import BaseModel, field_validator

TASK = json.loads(sys.argv[1])


class Place(BaseModel):
    """A city and its temperature."""

    city: str
    degrees: int

    @field_validator("degrees")
    @classmethod
    def plausible(cls, degrees: int) -> int:
        """No city is that hot."""
        if degrees > 60:
            raise ValueError("no city is that hot")
        return degrees


ASKED = [{"role": "user", "content": "How is Oslo?"}]
if TASK["speaks"] == "messages":
    own = Anthropic(base_url=TASK["url"], api_key=TASK["key"], max_retries=0, timeout=20)
    client = instructor.from_anthropic(own, mode=instructor.Mode[TASK["mode"]])
    more = {"max_tokens": 2000}
else:
    own = OpenAI(base_url=TASK["url"] + "/v1", api_key=TASK["key"], max_retries=0, timeout=20)
    client = instructor.from_openai(own, mode=instructor.Mode[TASK["mode"]])
    more = {}
place = client.chat.completions.create(
    model=TASK["model"], messages=ASKED, response_model=Place, max_retries=2, **more
)
print(json.dumps({"object": place.model_dump()}))
