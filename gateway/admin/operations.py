"""The endpoints for operators, and the lists of models."""

from gateway.admin.connection import ConnectionTest
from gateway.admin.health import HealthApi
from gateway.admin.home import HomeApi
from gateway.admin.metrics import MetricsApi
from gateway.admin.openapi import OpenApi
from gateway.admin.scrape import PrometheusApi
from gateway.admin.workers import AllWorkers
from gateway.catalogue.gemini_models import GeminiModelsApi
from gateway.catalogue.lists import ModelLists
from gateway.catalogue.models import ModelsApi
from gateway.catalogue.top import TopModelsApi
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.edge.operation import EVENTS, JSON, Operation, versioned
from gateway.view import GatewayView

_YAML = "application/yaml"
_METRICS = ("text/plain", "application/openmetrics-text")
_GEMINI_PREFIXES = ("/v1beta", "/v1beta1", "/v1beta1/publishers/google", "/v1", "")


def operator_operations(view: GatewayView, lists: ModelLists) -> list[Operation]:
    """The endpoints that are always there and take no model calls."""
    workers = AllWorkers(view)
    return [
        *_probe_operations(view, workers),
        *_metrics_operations(view, workers),
        *_name_operations(view, lists),
        *_model_operations(view, lists),
        Operation(
            path="/test-connection",
            handler=ConnectionTest(view, lists).try_provider,
            name="test_connection",
        ),
        *_document_operations(view),
    ]


def _probe_operations(view: GatewayView, workers: AllWorkers) -> list[Operation]:
    home, health = HomeApi(view), HealthApi(view, workers)
    return [
        Operation(path="/", handler=home.get_root, auth=False),
        Operation(path="/livez", handler=home.get_liveness, auth=False),
        Operation(path="/api/hello", handler=home.get_liveness, auth=False),
        Operation(path="/readyz", handler=home.get_readiness, auth=False),
        Operation(
            path="/health",
            handler=health.get_health,
            auth=False,
            gives=(JSON, _YAML),
            name="health",
        ),
        Operation(
            path="/health/detailed", handler=health.get_detailed_health, name="health_detailed"
        ),
    ]


def _metrics_operations(view: GatewayView, workers: AllWorkers) -> list[Operation]:
    metrics, prometheus = MetricsApi(view, workers), PrometheusApi(view, workers)
    return [
        Operation(path="/metrics", handler=prometheus.get_metrics, gives=_METRICS, name="metrics"),
        Operation(
            path="/metrics/running-totals",
            handler=metrics.get_totals,
            gives=(JSON, _YAML),
            name="running_totals",
        ),
        Operation(
            path="/metrics/active-requests", handler=metrics.list_active, name="active_requests"
        ),
        Operation(
            path="/metrics/active-requests/stream", handler=metrics.stream_active, gives=(EVENTS,)
        ),
        Operation(path="/metrics/logs", handler=metrics.list_errors, name="logs"),
    ]


def _name_operations(view: GatewayView, lists: ModelLists) -> list[Operation]:
    top = TopModelsApi(view, lists)
    return [
        Operation(
            path="/v1/aliases",
            routes=versioned("/aliases"),
            handler=top.list_aliases,
            name="aliases",
        ),
        Operation(
            path="/v1/top-models",
            routes=versioned("/top-models"),
            handler=top.list_top,
            name="top_models",
            listed_path="/top-models",
        ),
        Operation(
            path="/v1/profiles",
            routes=versioned("/profiles"),
            handler=top.list_profiles,
            name="profiles",
            listed_path="/profiles",
        ),
    ]


def _model_operations(view: GatewayView, lists: ModelLists) -> list[Operation]:
    models, gemini = ModelsApi(view, lists), GeminiModelsApi(view, lists)
    return [
        Operation(
            path="/v1/models",
            routes=versioned("/models"),
            handler=models.list_models,
            dialect=CHAT,
            name="models",
        ),
        Operation(
            path="/v1/models/{id}",
            routes=versioned("/models/{id:path}"),
            handler=models.get_model,
            dialect=CHAT,
        ),
        Operation(
            path="/v1beta/models",
            routes=tuple(f"{prefix}/models" for prefix in _GEMINI_PREFIXES),
            handler=gemini.list_models,
            dialect=GEMINI,
            name="gemini_models",
        ),
        Operation(
            path="/v1beta/models/{id}",
            routes=tuple(f"{prefix}/models/{{id:path}}" for prefix in _GEMINI_PREFIXES),
            handler=gemini.get_model,
            dialect=GEMINI,
        ),
    ]


def _document_operations(view: GatewayView) -> list[Operation]:
    api = OpenApi(view)
    return [
        Operation(path="/openapi.json", handler=api.get_document, name="openapi"),
        Operation(path="/docs", handler=api.get_page, gives=("text/html",)),
    ]
