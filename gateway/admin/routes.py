"""Which path is which endpoint, and which of them ask for a key."""

from starlette.routing import BaseRoute, Route

from gateway.admin.connection import ConnectionTest
from gateway.admin.health import HealthApi
from gateway.admin.home import HomeApi
from gateway.admin.metrics import MetricsApi
from gateway.admin.openapi import OpenApi
from gateway.admin.scrape import PrometheusApi
from gateway.admin.workers import AllWorkers
from gateway.api.query_key import GoogleClientSwitch, QueryKeyToHeader
from gateway.catalogue.gemini_models import GeminiModelsApi
from gateway.catalogue.lists import ModelLists
from gateway.catalogue.models import ModelsApi
from gateway.catalogue.top import TopModelsApi
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.edge.operation import Handler, JsonEndpoint
from gateway.view import GatewayView


def operator_routes(view: GatewayView, lists: ModelLists) -> list[BaseRoute]:
    """The endpoints that are no calls."""
    workers = AllWorkers(view)
    health = HealthApi(view, workers)
    home, models, top = HomeApi(view), ModelsApi(view, lists), TopModelsApi(view, lists)
    metrics, connection = MetricsApi(view, workers), ConnectionTest(view, lists)
    api = OpenApi(view)
    opened: dict[str, Handler] = {
        "/": home.get_root,
        "/api/hello": home.get_liveness,
        "/livez": home.get_liveness,
        "/readyz": home.get_readiness,
        "/health": health.get_health,
    }
    locked: dict[str, Handler] = {
        "/health/detailed": health.get_detailed_health,
        "/test-connection": connection.try_provider,
        "/metrics": PrometheusApi(view, workers).get_metrics,
        "/metrics/running-totals": metrics.get_totals,
        "/metrics/active-requests": metrics.list_active,
        "/metrics/active-requests/stream": metrics.stream_active,
        "/metrics/logs": metrics.list_errors,
        "/openapi.json": api.get_document,
        "/docs": api.get_page,
    }
    both: dict[str, Handler] = {
        "/aliases": top.list_aliases,
        "/top-models": top.list_top,
        "/profiles": top.list_profiles,
    }
    for path, answers in both.items():
        locked[path] = locked[f"/v1{path}"] = answers
    routes: list[BaseRoute] = [
        Route(path, JsonEndpoint(each, None)) for path, each in opened.items()
    ]
    callers = view.callers
    routes += [Route(path, JsonEndpoint(each, callers)) for path, each in locked.items()]
    every, one = (
        JsonEndpoint(each, callers, dialect=CHAT) for each in (models.list_models, models.get_model)
    )
    gemini = GeminiModelsApi(view, lists)
    listed, named = (
        JsonEndpoint(each, callers, dialect=GEMINI)
        for each in (gemini.list_models, gemini.get_model)
    )
    for prefix in ("/v1", ""):
        routes.append(
            Route(f"{prefix}/models", QueryKeyToHeader(GoogleClientSwitch(listed, every)))
        )
        routes.append(
            Route(f"{prefix}/models/{{id:path}}", QueryKeyToHeader(GoogleClientSwitch(named, one)))
        )
    for prefix in ("/v1beta", "/v1beta1", "/v1beta1/publishers/google"):
        routes.append(Route(f"{prefix}/models", QueryKeyToHeader(listed)))
        routes.append(Route(f"{prefix}/models/{{id:path}}", QueryKeyToHeader(named)))
    return routes
