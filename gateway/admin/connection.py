"""`GET /test-connection`: one tiny completion through the whole chain, as a client's call."""

import asyncio
from time import monotonic

import msgspec
from msgspec import Struct

from gateway.aliases import SHIPPED
from gateway.call import Call, Record
from gateway.catalogue.entries import read_entries
from gateway.catalogue.lists import ModelLists
from gateway.catalogue.models import check_provider
from gateway.dialects.chat import CHAT
from gateway.edge.operation import ApiRequest, json_reply
from gateway.errors import GatewayError, InvalidRequest, UpstreamTimeout
from gateway.reply import Reply, Stream
from gateway.roles import format_timestamp
from gateway.telemetry.log import log_call
from gateway.view import GatewayView
from gateway.wire.raw_json import encoded

TEST_TIMEOUT = 30.0
"""Seconds that the completion may take."""
TEST_MAX_TOKENS = 16
"""The least that every upstream accepts."""
_ADVICE = {
    401: "Check that the key of this provider is valid",
    402: "Check that the account behind the key has money left",
    403: "Check that the key may use this model",
    404: "Check the name of the model and the base_url of the provider",
    429: "The provider limits how often it is called: try again later",
    502: "Check base_url, the network and the provider's status page",
    504: "Consider increasing REQUEST_TIMEOUT, or look at the provider's status page",
}


class _AnswerId(Struct):
    id: str = ""


class ConnectionTest:
    """The endpoint that tries a provider."""

    def __init__(self, view: GatewayView, lists: ModelLists) -> None:
        self._view = view
        self._lists = lists

    async def try_provider(self, ask: ApiRequest) -> Reply:
        """Whether a provider answers: success, skipped where only clients have keys, or failed."""
        view = self._view
        name, model = ask.query.get("provider", ""), ask.query.get("model", "")
        if model and not name:
            name, model = self._resolve_name(model)
        name = name or view.default_provider
        check_provider(view, name)
        provider = view.runtime.providers.get(name)
        if provider is None:
            raise InvalidRequest("there is no default provider; name one", param="provider")
        if provider.status().passthrough:
            return _report_skipped(name)
        model = model or await self._choose_model(name)
        record = Record(monotonic())
        try:
            async with asyncio.timeout(TEST_TIMEOUT):
                ident = await self._request_completion(ask, name, model, record)
            record.end = "complete"
        except TimeoutError:
            return self._report_failure(
                ask, record, f"{name}:{model}", UpstreamTimeout("total", TEST_TIMEOUT)
            )
        except GatewayError as error:
            return self._report_failure(ask, record, f"{name}:{model}", error)
        self._record_call(ask, record, 200)
        return json_reply(
            {
                "status": "success",
                "message": f"Successfully connected to {record.provider or name} API",
                "provider": record.provider or name,
                "model_used": record.model or model,
                "timestamp": format_timestamp(),
                "response_id": ident,
                "duration_ms": round((monotonic() - record.started) * 1e3, 1),
            }
        )

    async def _request_completion(
        self, ask: ApiRequest, name: str, model: str, record: Record
    ) -> str:
        """The id of the answer. Raises what the chain raises, and what an error answer says."""
        capability = self._view.runtime.target(name, model).capability
        model = f"{name}:{model}"
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "Hello"}],
            capability.token_param: TEST_MAX_TOKENS,
        }
        fields = encoded(body)
        call = Call(ask.id, CHAT, model, False, fields, ask.headers, record, ask.caller)
        reply = await self._view.edge.chain(call)
        try:
            if reply.error is not None:
                raise reply.error
            if isinstance(reply.body, Stream):
                raise GatewayError("a stream came back that was not asked for")
            return msgspec.json.decode(reply.body, type=_AnswerId).id
        except msgspec.DecodeError:
            return ""
        finally:
            await reply.aclose()

    def _resolve_name(self, model: str) -> tuple[str, str]:
        """Provider and model that a model name alone means."""
        for owner, alias, targets in self._view.iter_aliases():
            if alias == model:
                return self._view.split_target(targets[0], owner)
        return self._view.split_target(model)

    async def _choose_model(self, name: str) -> str:
        """A model to try: what `small` means there, else what the operator names, else any."""
        view = self._view
        small = view.runtime.config.aliases.get("small", [""])[0]
        if small and view.split_target(small)[0] == name:
            return view.split_target(small)[1]
        provider = view.runtime.providers[name]
        if ids := getattr(provider, "model_ids", []):
            return str(ids[0])
        if own := getattr(provider, "aliases", {}):
            return str(next(iter(own)))
        if name in SHIPPED:
            return SHIPPED[name]["small"]
        held = (await self._lists.get_lists([name]))[name]
        listed = [] if held.models is None else read_entries(held.models)
        if not listed:
            message = f"no model of the provider '{name}' is known; name one: ?model="
            raise InvalidRequest(message, param="model")
        return listed[0].id

    def _report_failure(
        self, ask: ApiRequest, record: Record, target: str, error: GatewayError
    ) -> Reply:
        record.end, record.error = "upstream_error", f"{error.kind}: {error.message}"
        self._record_call(ask, record, error.status)
        provider, _, model = target.partition(":")
        status = error.upstream_status or error.status
        advice = [_ADVICE[status]] if status in _ADVICE else []
        return json_reply(
            {
                "status": "failed",
                "error_type": error.kind,
                "message": error.message,
                "provider": provider,
                "model_used": model,
                "timestamp": format_timestamp(),
                "upstream_status": error.upstream_status,
                "suggestions": [*advice, "Look at GET /health/detailed and the gateway's log"],
            },
            503,
        )

    def _record_call(self, ask: ApiRequest, record: Record, status: int) -> None:
        """Counts and logs the completion as a call: it was one, and was paid for."""
        self._view.edge.totals.record_call(ask.id, CHAT.name, record, status, streamed=False)
        log_call(ask.id, CHAT.name, record, status)


def _report_skipped(provider: str) -> Reply:
    message = f"Provider '{provider}' is called with the clients' own keys: nothing was sent"
    return json_reply(
        {
            "status": "skipped",
            "message": message,
            "provider": provider,
            "timestamp": format_timestamp(),
        }
    )
