"""Turns the table of endpoints into routes."""

from collections.abc import Iterable, Sequence

from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.api.query_key import GoogleClientSwitch, QueryKeyToHeader
from gateway.dialects.gemini import GEMINI
from gateway.edge.callers import Callers
from gateway.edge.operation import JsonEndpoint, Operation


def make_routes(operations: Iterable[Operation], callers: Callers) -> list[Route]:
    """One route for each path, in the order in which the operations name them."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        for path in operation.routes or (operation.path,):
            by_path.setdefault(path, []).append(operation)
    return [_make_route(path, found, callers) for path, found in by_path.items()]


def _make_route(path: str, operations: Sequence[Operation], callers: Callers) -> Route:
    call_app = operations[0].app
    if call_app is None:
        return Route(path, _make_json_app(operations, callers))
    # Below such a path a GET is for the list of models, so the route must not match it.
    return Route(path, call_app, methods=["POST"] if path.endswith(":path}") else None)


def _make_json_app(operations: Sequence[Operation], callers: Callers) -> ASGIApp:
    gemini = [each for each in operations if each.dialect is GEMINI]
    others = [each for each in operations if each.dialect is not GEMINI]
    if not gemini:
        return _make_endpoint(others, callers)
    app: ASGIApp = _make_endpoint(gemini, callers)
    return QueryKeyToHeader(
        GoogleClientSwitch(app, _make_endpoint(others, callers)) if others else app
    )


def _make_endpoint(operations: Sequence[Operation], callers: Callers) -> JsonEndpoint:
    first = operations[0]
    handlers = {each.method: each.handler for each in operations if each.handler is not None}
    return JsonEndpoint(handlers, callers if first.auth else None, dialect=first.dialect)
