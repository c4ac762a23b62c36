"""Which path is which endpoint, and which of them ask for a key."""

from starlette.routing import BaseRoute, Route

from gateway.admin.connection import Connection
from gateway.admin.health import Health
from gateway.admin.home import Home
from gateway.admin.metrics import Metrics
from gateway.admin.openapi import OpenApi
from gateway.admin.scrape import Scrape
from gateway.admin.workers import Workers
from gateway.api.query_key import KeyInQuery, Shared
from gateway.catalogue.gemini_models import GeminiModels
from gateway.catalogue.lists import Lists
from gateway.catalogue.models import Models
from gateway.catalogue.top import TopModels
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.edge.operation import Answers, Door
from gateway.inside import Inside


def operator_routes(inside: Inside, lists: Lists) -> list[BaseRoute]:
    """The endpoints that are no calls."""
    workers = Workers(inside)
    health = Health(inside, workers)
    home, models, top = Home(inside), Models(inside, lists), TopModels(inside, lists)
    metrics, connection = Metrics(inside, workers), Connection(inside, lists)
    api = OpenApi(inside)
    opened: dict[str, Answers] = {
        "/": home.root,
        "/api/hello": home.alive,
        "/livez": home.alive,
        "/readyz": home.ready,
        "/health": health.plain,
    }
    locked: dict[str, Answers] = {
        "/health/detailed": health.detailed,
        "/test-connection": connection.test,
        "/metrics": Scrape(inside, workers).figures,
        "/metrics/running-totals": metrics.totals,
        "/metrics/active-requests": metrics.active,
        "/metrics/active-requests/stream": metrics.active_stream,
        "/metrics/logs": metrics.logs,
        "/openapi.json": api.document,
        "/docs": api.page,
    }
    both: dict[str, Answers] = {
        "/aliases": top.aliases,
        "/top-models": top.top,
        "/profiles": top.profiles,
    }
    for path, answers in both.items():
        locked[path] = locked[f"/v1{path}"] = answers
    routes: list[BaseRoute] = [Route(path, Door(each, None)) for path, each in opened.items()]
    callers = inside.callers
    routes += [Route(path, Door(each, callers)) for path, each in locked.items()]
    every, one = (Door(each, callers, dialect=CHAT) for each in (models.all, models.one))
    gemini = GeminiModels(inside, lists)
    listed, named = (Door(each, callers, dialect=GEMINI) for each in (gemini.all, gemini.one))
    for prefix in ("/v1", ""):
        routes.append(Route(f"{prefix}/models", KeyInQuery(Shared(listed, every))))
        routes.append(Route(f"{prefix}/models/{{id:path}}", KeyInQuery(Shared(named, one))))
    for prefix in ("/v1beta", "/v1beta1", "/v1beta1/publishers/google"):
        routes.append(Route(f"{prefix}/models", KeyInQuery(listed)))
        routes.append(Route(f"{prefix}/models/{{id:path}}", KeyInQuery(named)))
    return routes
