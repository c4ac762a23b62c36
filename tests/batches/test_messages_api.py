"""The Message Batches API through the official client."""

import asyncio
from datetime import timedelta
from typing import Any

import anthropic
import httpx2
import pytest

from tests.batches.house import BatchGateway, ended, request, results

pytestmark = pytest.mark.asyncio(loop_scope="package")


class TestABatch:
    async def test_it_is_taken_worked_off_and_told(self, home: BatchGateway) -> None:
        client = home.anthropic()
        models = ("chat:good", "messages:good", "nickname")
        batch = await client.messages.batches.create(
            requests=[request(f"c-{n}", models[n % 3], f"said {n}") for n in range(12)]
        )
        assert batch.id.startswith("msgbatch_")
        assert batch.processing_status == "in_progress"
        assert batch.request_counts.processing == 12
        assert batch.results_url is None
        assert batch.expires_at - batch.created_at == timedelta(hours=24)
        done = await ended(client, batch.id)
        assert done.request_counts.model_dump() == {
            "processing": 0, "succeeded": 12, "errored": 0, "canceled": 0, "expired": 0,
        }  # fmt: skip
        assert done.ended_at is not None
        found = await results(client, batch.id)
        texts = {key: result.message.content[0].text for key, result in found.items()}
        assert texts == {f"c-{n}": f"said {n}" for n in range(12)}

    async def test_an_item_that_fails_is_alone_in_it(self, home: BatchGateway) -> None:
        client = home.anthropic()
        models = ["chat:good", "chat:refused", "messages:refused", "chat:nonsense", "gone:x"]
        batch = await client.messages.batches.create(
            requests=[request(f"c-{n}", model) for n, model in enumerate(models)]
        )
        done = await ended(client, batch.id)
        assert (done.request_counts.succeeded, done.request_counts.errored) == (1, 4)
        found = await results(client, batch.id)
        assert found["c-0"].type == "succeeded"
        errors = [found[f"c-{n}"].error.error for n in range(1, 5)]
        assert [error.type for error in errors] == [
            "invalid_request_error", "invalid_request_error", "api_error", "not_found_error",
        ]  # fmt: skip
        assert [error.message for error in errors[:2]] == ["Not that.", "Not that."]

    async def test_the_beta_header_reaches_the_upstream_and_the_key_does_not(
        self, home: BatchGateway
    ) -> None:
        key = home.key()
        headers = {"anthropic-beta": "some-beta-1", "anthropic-version": "2023-06-01"}
        client = home.anthropic(key, default_headers=headers)
        sent = request("c", "messages:good", "with a beta", stream=True)
        batch = await client.messages.batches.create(requests=[sent])
        await ended(client, batch.id)
        [got] = [each for each in home.upstream.requests if b"with a beta" in each.body]
        assert got.get_header(b"anthropic-beta") == b"some-beta-1"
        assert got.get_header(b"anthropic-version") == b"2023-06-01"
        assert key.encode() not in b"".join(value for _, value in got.headers)
        assert b"stream" not in got.body

    async def test_the_clients_own_key_goes_where_the_provider_takes_it(
        self, home: BatchGateway
    ) -> None:
        headers = {"x-gateway-key": home.key()}
        client = home.anthropic("sk-the-clients-own", default_headers=headers)
        batch = await client.messages.batches.create(requests=[request("c", "own:good", "my key")])
        await ended(client, batch.id)
        [got] = [each for each in home.upstream.requests if b"my key" in each.body]
        assert got.get_header(b"authorization") == b"Bearer sk-the-clients-own"

    async def test_results_are_where_the_client_sees_the_gateway(self, home: BatchGateway) -> None:
        client = home.anthropic()
        batch = await client.messages.batches.create(requests=[request("c")])
        await ended(client, batch.id)
        seen = {"host": "llm.example.com:8443", "x-forwarded-proto": "https"}
        told = await client.messages.batches.retrieve(batch.id, extra_headers=seen)
        place = f"/v1/messages/batches/{batch.id}/results"
        assert told.results_url == f"https://llm.example.com:8443{place}"
        async with httpx2.AsyncClient(base_url=home.gateway.url) as plain:
            answer = await plain.get(place[3:], headers={"x-api-key": client.api_key or ""})
        assert answer.headers["content-type"] == "application/x-jsonl"
        assert answer.headers["x-batch-id"] == batch.id
        assert len(answer.content.splitlines()) == 1


class TestCancel:
    async def test_what_is_in_flight_ends_and_nothing_more_starts(self, home: BatchGateway) -> None:
        client = home.anthropic()
        home.gate.clear()
        batch = await client.messages.batches.create(
            requests=[request(f"c-{n}", "chat:slow", "stop this") for n in range(12)]
        )
        await home.arrived("stop this", 4)
        told = await client.messages.batches.cancel(batch.id)
        assert told.processing_status == "canceling"
        assert told.cancel_initiated_at is not None
        await asyncio.sleep(0.7)  # the worker has looked by then
        home.gate.set()
        done = await ended(client, batch.id)
        assert home.asked("stop this") == 4
        assert (done.request_counts.succeeded, done.request_counts.canceled) == (4, 8)
        found = await results(client, batch.id)
        assert (
            sorted(result.type for result in found.values()) == ["canceled"] * 8 + ["succeeded"] * 4
        )
        again = await client.messages.batches.cancel(batch.id)
        assert again.processing_status == "ended"


class TestDelete:
    async def test_an_ended_batch_is_forgotten_and_one_under_way_is_not(
        self, home: BatchGateway
    ) -> None:
        client = home.anthropic()
        home.gate.clear()
        batch = await client.messages.batches.create(requests=[request("c", "chat:slow")])
        with pytest.raises(anthropic.BadRequestError, match="cancel it first"):
            await client.messages.batches.delete(batch.id)
        with pytest.raises(anthropic.BadRequestError, match="no results yet"):
            await home.anthropic(client.api_key or "").get(
                f"/v1/messages/batches/{batch.id}/results", cast_to=object
            )
        home.gate.set()
        await ended(client, batch.id)
        gone = await client.messages.batches.delete(batch.id)
        assert (gone.id, gone.type) == (batch.id, "message_batch_deleted")
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.batches.retrieve(batch.id)


class TestList:
    async def test_pages_go_both_ways(self, home: BatchGateway) -> None:
        client = home.anthropic()
        made: list[str] = []
        for _ in range(5):
            batch = await client.messages.batches.create(requests=[request("c")])
            made.insert(0, batch.id)
        page = await client.messages.batches.list(limit=2)
        assert [each.id for each in page.data] == made[:2]
        assert page.has_more
        assert [each.id async for each in client.messages.batches.list(limit=2)] == made
        older = await client.messages.batches.list(after_id=made[3])
        assert [each.id for each in older.data] == made[4:]
        newer = await client.messages.batches.list(before_id=made[3], limit=2)
        assert [each.id for each in newer.data] == made[1:3]
        assert newer.has_more
        for wrong in ({"after_id": "msgbatch_none"}, {"before_id": "msgbatch_none"}):
            with pytest.raises(anthropic.NotFoundError):
                await client.messages.batches.list(**wrong)  # type: ignore[arg-type]

    async def test_another_tenant_sees_nothing_of_it(self, home: BatchGateway) -> None:
        ours, theirs = home.anthropic(), home.anthropic()
        batch = await ours.messages.batches.create(requests=[request("c")])
        await ended(ours, batch.id)
        asked: list[Any] = [
            theirs.messages.batches.retrieve,
            theirs.messages.batches.cancel,
            theirs.messages.batches.delete,
            theirs.messages.batches.results,
        ]
        for each in asked:
            with pytest.raises(anthropic.NotFoundError):
                await each(batch.id)
        path = f"/v1/messages/batches/{batch.id}/results"
        with pytest.raises(anthropic.NotFoundError):
            await theirs.get(path, cast_to=object)
        assert (await theirs.messages.batches.list()).data == []
        with pytest.raises(anthropic.AuthenticationError):
            await home.anthropic("no key of ours").messages.batches.retrieve(batch.id)


BAD: dict[str, tuple[Any, str]] = {
    "none": ([], "requests: at least one"),
    "twice": ([request("a"), request("a")], "requests.1.custom_id: 'a' is that of requests.0"),
    "no id": ([{"params": {}}], "requests.0.custom_id: Field required"),
    "odd id": ([request("a b")], "requests.0.custom_id: String should match"),
    "long id": ([request("a" * 65)], "requests.0.custom_id: String should match"),
    "id of a kind": ([{"custom_id": 1, "params": {}}], "requests.0.custom_id: "),
    "no params": ([request("a"), {"custom_id": "b"}], "requests.1.params: Field required"),
    "params of a kind": ([{"custom_id": "a", "params": []}], "requests.0.params: "),
    "no messages": (
        [request("a"), {"custom_id": "b", "params": {"model": "m", "max_tokens": 1}}],
        "requests.1.params.messages: Field required",
    ),
    "no max_tokens": (
        [{"custom_id": "b", "params": {"model": "m", "messages": [{"role": "user"}]}}],
        "requests.0.params.max_tokens: Field required",
    ),
    "a text": ("text", "requests: "),
    "many": ([request(f"{n}") for n in range(21)], "21 requests are more than the 20 of one batch"),
}


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", BAD)
    async def test_a_bad_request_names_its_place_and_nothing_starts(
        self, home: BatchGateway, name: str
    ) -> None:
        requests, said = BAD[name]
        client = home.anthropic("gw-key-29")
        with pytest.raises(anthropic.BadRequestError) as caught:
            await client.post("/v1/messages/batches", body={"requests": requests}, cast_to=object)
        body: Any = caught.value.body
        assert body["error"]["type"] == "invalid_request_error"
        assert said in body["error"]["message"]
        assert (await client.messages.batches.list()).data == []

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"{", "not JSON"),
            (b"[]", "must be a JSON object"),
            (b"{}", "requests: Field required"),
            (b'{"requests":[{"custom_id":"\xff","params":{}}]}', "UTF-8"),
        ],
    )
    async def test_a_body_that_is_no_object_is_refused(
        self, home: BatchGateway, body: bytes, said: str
    ) -> None:
        async with httpx2.AsyncClient(base_url=home.gateway.url) as plain:
            headers = {"x-api-key": "gw-key-29"}
            answer = await plain.post("/v1/messages/batches", content=body, headers=headers)
        assert answer.status_code == 400
        assert said in answer.json()["error"]["message"]

    async def test_other_methods_are_named(self, home: BatchGateway) -> None:
        async with httpx2.AsyncClient(base_url=home.gateway.url) as plain:
            headers = {"x-api-key": "gw-key-29"}
            answer = await plain.put("/v1/messages/batches", headers=headers)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, POST, HEAD"
