"""Answers of operators' pages as JSON or, on request, as YAML."""

from collections.abc import Mapping

import msgspec

from gateway.edge.operation import ApiRequest, json_reply
from gateway.errors import InvalidRequest
from gateway.reply import Reply

_YAML_TYPES = ("text/yaml", "application/yaml", "text/x-yaml", "application/x-yaml")


def json_or_yaml_reply(ask: ApiRequest, data: Mapping[str, object]) -> Reply:
    """Return the data as JSON, or as YAML where `?format=yaml` or the Accept header asks for it.

    Raises InvalidRequest for another format.
    """
    form = ask.query.get("format", "").lower()
    if form not in ("", "json", "yaml"):
        raise InvalidRequest('format must be "json" or "yaml"', param="format")
    accepted = ask.get_header(b"accept").lower()
    if form == "yaml" or (not form and any(each in accepted for each in _YAML_TYPES)):
        reply = json_reply(data)
        return Reply(
            reply.status,
            reply.dialect,
            render_yaml(data).encode(),
            [(b"content-type", b"application/yaml; charset=utf-8"), (b"vary", b"accept")],
        )
    return json_reply(data, headers=[(b"vary", b"accept")])


def render_yaml(data: Mapping[str, object]) -> str:
    """Return a table as a YAML document, with the values that JSON has for it."""
    import yaml  # noqa: PLC0415 - most gateways are never asked for YAML

    plain = msgspec.json.decode(msgspec.json.encode(data))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=2**16))
