"""Which path is which endpoint, and which of them ask for a key."""

from starlette.routing import BaseRoute, Route

from gateway.admin.connection import Connection
from gateway.admin.door import Answers, Door
from gateway.admin.gemini_models import GeminiModels
from gateway.admin.health import Health
from gateway.admin.home import Home
from gateway.admin.inside import Inside
from gateway.admin.metrics import Metrics
from gateway.admin.models import Models
from gateway.admin.openapi import OpenApi
from gateway.admin.query_key import KeyInQuery, Shared
from gateway.admin.scrape import Scrape
from gateway.admin.top import TopModels
from gateway.admin.workers import Workers
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI


def operator_routes(inside: Inside) -> list[BaseRoute]:
    """The endpoints that are no calls."""
    workers = Workers(inside)
    health = Health(inside, workers)
    home, models, top = Home(inside), Models(inside), TopModels(inside)
    metrics, connection = Metrics(inside, workers), Connection(inside)
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
    gemini = GeminiModels(inside)
    listed, named = (Door(each, callers, dialect=GEMINI) for each in (gemini.all, gemini.one))
    for prefix in ("/v1", ""):
        routes.append(Route(f"{prefix}/models", KeyInQuery(Shared(listed, every))))
        routes.append(Route(f"{prefix}/models/{{id:path}}", KeyInQuery(Shared(named, one))))
    for prefix in ("/v1beta", "/v1beta1", "/v1beta1/publishers/google"):
        routes.append(Route(f"{prefix}/models", KeyInQuery(listed)))
        routes.append(Route(f"{prefix}/models/{{id:path}}", KeyInQuery(named)))
    return routes
