"""The Files and Batches APIs of OpenAI through the official client."""

import asyncio
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from openai.types import Batch

from tests.batches.house import BatchGateway, file_lines, line, over

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def upload(client: AsyncOpenAI, content: bytes) -> str:
    """The id of an input file."""
    return (await client.files.create(file=("in.jsonl", content), purpose="batch")).id


async def start(client: AsyncOpenAI, file_id: str, **more: Any) -> Batch:
    """A batch of an input file."""
    return await client.batches.create(
        input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h", **more
    )


class TestABatch:
    async def test_it_is_taken_worked_off_and_told(self, home: BatchGateway) -> None:
        client = home.openai()
        models = ("chat:good", "messages:good", "nickname")
        lines = [line(f"c {n}", models[n % 3], f"said {n}") for n in range(12)]
        file_id = await upload(client, b"".join(lines) + b"\n  \n")
        batch = await start(client, file_id, metadata={"night": "7"})
        assert batch.id.startswith("batch_")
        assert batch.object == "batch"
        assert batch.status in ("validating", "in_progress")
        assert batch.metadata == {"night": "7"}
        assert batch.expires_at == batch.created_at + 86400
        done = await over(client, batch.id)
        assert done.status == "completed"
        assert done.request_counts is not None
        assert done.request_counts.model_dump() == {"completed": 12, "failed": 0, "total": 12}
        assert done.error_file_id is None
        assert None not in (done.in_progress_at, done.finalizing_at, done.completed_at)
        found = await file_lines(client, done.output_file_id)
        assert set(found) == {f"c {n}" for n in range(12)}
        for key, each in found.items():
            response = each["response"]
            assert each["error"] is None
            assert response["status_code"] == 200
            said = response["body"]["choices"][0]["message"]["content"]
            assert said == f"said {key.removeprefix('c ')}"
        assert done.output_file_id is not None
        output = await client.files.retrieve(done.output_file_id)
        content = await client.files.content(done.output_file_id)
        assert (output.purpose, output.bytes) == ("batch_output", len(content.content))

    async def test_what_fails_is_in_the_error_file(self, home: BatchGateway) -> None:
        client = home.openai()
        models = ["chat:good", "chat:refused", "messages:refused", "chat:nonsense", "gone:x"]
        lines = [line(f"c-{n}", model) for n, model in enumerate(models)]
        batch = await start(client, await upload(client, b"".join(lines)))
        done = await over(client, batch.id)
        assert done.request_counts is not None
        assert done.request_counts.model_dump() == {"completed": 1, "failed": 4, "total": 5}
        assert set(await file_lines(client, done.output_file_id)) == {"c-0"}
        found = await file_lines(client, done.error_file_id)
        statuses = [found[f"c-{n}"]["response"]["status_code"] for n in range(1, 5)]
        assert statuses == [400, 400, 502, 404]
        assert found["c-1"]["response"]["body"]["error"]["message"] == "Not that."

    async def test_a_cancelled_one_keeps_what_was_answered(self, home: BatchGateway) -> None:
        client = home.openai()
        home.gate.clear()
        lines = [line(f"c-{n}", "chat:slow", "chat to cancel") for n in range(12)]
        batch = await start(client, await upload(client, b"".join(lines)))
        await home.arrived("chat to cancel", 4)
        told = await client.batches.cancel(batch.id)
        assert told.status == "cancelling"
        await asyncio.sleep(0.7)
        home.gate.set()
        done = await over(client, batch.id)
        assert done.status == "cancelled"
        assert None not in (done.cancelling_at, done.cancelled_at)
        assert len(await file_lines(client, done.output_file_id)) == 4
        with pytest.raises(openai.ConflictError, match="'cancelled'"):
            await client.batches.cancel(batch.id)

    async def test_lists_are_the_tenants_own(self, home: BatchGateway) -> None:
        ours, theirs = home.openai(), home.openai()
        file_id = await upload(ours, line("c"))
        made = [(await start(ours, file_id)).id for _ in range(3)][::-1]
        page = await ours.batches.list(limit=2)
        assert ([each.id for each in page.data], page.has_more) == (made[:2], True)
        assert [each.id async for each in ours.batches.list(limit=2)] == made
        assert (await theirs.batches.list()).data == []
        for each in (theirs.batches.retrieve, theirs.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                await each(made[0])
        with pytest.raises(openai.BadRequestError, match="No such File object"):
            await start(theirs, file_id)


BAD_LINES: dict[str, tuple[bytes, list[tuple[str, str | None, int | None]]]] = {
    "nothing": (b"", [("empty_file", None, None)]),
    "no JSON": (line("a") + b"{\n", [("invalid_json_line", None, 2)]),
    "no UTF-8": (line("a").replace(b'"a"', b'"\xff"'), [("invalid_json_line", None, 1)]),
    "no id": (b'{"method":"POST"}', [("missing_required_parameter", "custom_id", 1)]),
    "long id": (line("a" * 513), [("invalid_custom_id", "custom_id", 1)]),
    "an id with NUL": (line("a\0"), [("invalid_custom_id", "custom_id", 1)]),
    "a method": (line("a", method="GET"), [("invalid_method", "method", 1)]),
    "a url": (line("a", url="/v1/embeddings"), [("invalid_url", "url", 1)]),
    "no messages": (line("a", body={"model": "m"}), [("invalid_request", "body.messages", 1)]),
    "a kind": (line("a", body=[]), [("invalid_request", "body", 1)]),
    "many": (
        b"".join(line(f"{n}") for n in range(21)),
        [("too_many_requests", None, 21)],
    ),
    "several": (
        line("a") + line("a") + line("b", method="PUT") + line("b") + line("a"),
        [
            ("duplicate_custom_id", "custom_id", 2),
            ("invalid_method", "method", 3),
            ("duplicate_custom_id", "custom_id", 5),
        ],
    ),
}


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", BAD_LINES)
    async def test_a_bad_line_fails_the_batch_and_nothing_starts(
        self, home: BatchGateway, name: str
    ) -> None:
        content, faults = BAD_LINES[name]
        client = home.openai("gw-key-28")
        batch = await start(client, await upload(client, content))
        done = await over(client, batch.id)
        assert done.status == "failed"
        assert done.failed_at is not None
        assert done.errors is not None
        told = [(each.code, each.param, each.line) for each in done.errors.data or []]
        assert told == faults
        assert done.output_file_id is None

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"endpoint": "/v1/embeddings"}, "each with a list of texts as its input"),
            ({"endpoint": "/v1/responses"}, "write each line as a chat completion"),
            ({"endpoint": "/v1/completions"}, "as the message of a chat completion"),
            ({"endpoint": "/v1/videos"}, "have to be sent one by one"),
            ({"output_expires_after": {"seconds": 7200}}, "output_expires_after.anchor"),
            (
                {"output_expires_after": {"anchor": "created_at", "seconds": 3599}},
                "output_expires_after.seconds",
            ),
            ({"completion_window": "1h"}, "completion_window"),
            ({"input_file_id": "file-none"}, "No such File object"),
            ({"input_file_id": 1}, "input_file_id"),
            ({"input_file_id": None}, "Missing required parameter: 'input_file_id'"),
            ({"metadata": {"a": 1}}, "metadata"),
            ({"metadata": {"a": "b" * 513}}, "metadata"),
        ],
    )
    async def test_a_bad_batch_is_refused(
        self, home: BatchGateway, fields: dict[str, Any], said: str
    ) -> None:
        client = home.openai("gw-key-28")
        body = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
        whole: dict[str, Any] = body | {"input_file_id": await upload(client, line("a"))} | fields
        body = {name: value for name, value in whole.items() if value is not None}
        with pytest.raises(openai.BadRequestError, match=said):
            await client.post("/batches", body=body, cast_to=object)

    async def test_its_results_are_kept_for_as_long_as_it_says(self, home: BatchGateway) -> None:
        client = home.openai()
        kept: Any = {"anchor": "created_at", "seconds": 7200}
        batch = await start(client, await upload(client, line("a")), output_expires_after=kept)
        done = await over(client, batch.id)
        file = await client.files.retrieve(done.output_file_id or "")
        assert file.expires_at == file.created_at + 7200

    async def test_results_are_no_input(self, home: BatchGateway) -> None:
        client = home.openai()
        batch = await start(client, await upload(client, line("a")))
        done = await over(client, batch.id)
        with pytest.raises(openai.BadRequestError, match="must be 'batch'"):
            await start(client, done.output_file_id or "")


class TestFiles:
    async def test_a_file_comes_back_as_it_was_sent(self, home: BatchGateway) -> None:
        client = home.openai()
        content = bytes(range(256)) * 10_000  # larger than a piece, and than what memory holds
        file = await client.files.create(file=("night.jsonl", content), purpose="batch")
        assert (file.object, file.filename, file.purpose) == ("file", "night.jsonl", "batch")
        assert file.bytes == len(content)
        assert file.expires_at is not None
        assert (await client.files.content(file.id)).content == content
        assert (await client.files.retrieve(file.id)) == file
        shorter = await client.files.create(
            file=("in.jsonl", b"{}"),
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 7200},
        )
        assert shorter.expires_at == shorter.created_at + 7200
        gone = await client.files.delete(file.id)
        assert gone.deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.content(file.id)

    async def test_lists_are_the_tenants_own(self, home: BatchGateway) -> None:
        ours, theirs = home.openai(), home.openai()
        made = [await upload(ours, line(f"{n}")) for n in range(3)]
        assert [each.id async for each in ours.files.list(limit=2)] == made[::-1]
        page = await ours.files.list(order="asc", purpose="batch", after=made[0])
        assert [each.id for each in page.data] == made[1:]
        assert (await ours.files.list(purpose="vision")).data == []
        assert (await theirs.files.list()).data == []
        for each in (theirs.files.retrieve, theirs.files.content, theirs.files.delete):
            with pytest.raises(openai.NotFoundError):
                await each(made[0])
        with pytest.raises(openai.NotFoundError):
            await theirs.files.list(after=made[0])
        with pytest.raises(openai.BadRequestError, match="order"):
            await ours.files.list(order="up")  # type: ignore[arg-type]

    async def test_one_that_is_too_large_is_refused(self, home: BatchGateway) -> None:
        client = home.openai("gw-key-28")
        for size in (3_000_001, 3_500_000):
            with pytest.raises(openai.APIStatusError, match="larger than") as caught:
                await client.files.create(file=("in.jsonl", bytes(size)), purpose="batch")
            assert caught.value.status_code == 413

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            ({"content": b"{}"}, "multipart/form-data"),
            ({"data": {"purpose": "batch"}, "files": {"other": ("a", b"b")}}, "file: "),
            ({"data": {"purpose": "vision"}, "files": {"file": ("a", b"b")}}, "purpose: "),
            ({"files": {"file": ("a", b"b")}}, "purpose: "),
            (
                {
                    "data": {"purpose": "batch", "expires_after[seconds]": "1"},
                    "files": {"file": ("a", b"b")},
                },
                "expires_after.seconds",
            ),
            (
                {
                    "data": {
                        "purpose": "batch",
                        "expires_after[anchor]": "now",
                        "expires_after[seconds]": "7200",
                    },
                    "files": {"file": ("a", b"b")},
                },
                "expires_after.anchor",
            ),
            (
                {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=y"}},
                "form cannot be read",
            ),
            ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "form cannot"),
        ],
    )
    async def test_a_bad_form_is_refused(
        self, home: BatchGateway, sent: dict[str, Any], said: str
    ) -> None:
        async with httpx2.AsyncClient(base_url=home.gateway.url) as plain:
            headers = {"authorization": "Bearer gw-key-28"} | sent.pop("headers", {})
            answer = await plain.post("/v1/files", headers=headers, **sent)
        assert answer.status_code == 400
        assert said in answer.json()["error"]["message"]
