"""HTTP in and out: the ASGI application over what it calls.

Bodies are validated by pydantic straight from the bytes, after the key was checked: a stranger's
body is never parsed, and JSON is read once.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from fastapi import FastAPI

from serving.http.access.auth import Keyring
from serving.http.access.cross_origin import CrossOrigin
from serving.http.access.peers import ClientAddress
from serving.http.access.streams import Streams
from serving.http.answers.routes import AnswerRoutes
from serving.http.bodies import add_error_answers
from serving.http.direct import Direct
from serving.http.home import add_home
from serving.http.labels.routes import LabelRoutes
from serving.http.middleware import RequestMiddleware
from serving.http.openapi import document
from serving.http.pages import add_console, add_docs, add_pages, add_snippet
from serving.http.pictures.routes import add_pictures
from serving.http.receiving import BodyLimits
from serving.http.rights.data import DataRoutes
from serving.http.rights.demo import DemoRights, DemoShoppers
from serving.http.rights.preferences import Preferences
from serving.http.rights.routes import PreferenceRoutes
from serving.http.routes.events import EventRoutes
from serving.http.routes.experiments import add_experiments
from serving.http.routes.items import ItemRoutes
from serving.http.routes.operations import add_operations
from serving.http.routes.operator.shops import add_shops
from serving.http.routes.pages.pages import PageRoutes
from serving.http.routes.pages.placements import add_placements
from serving.http.routes.rankings import RankingRoutes
from serving.http.routes.rerank import add_rerank
from serving.http.routes.suggest import add_suggest
from serving.http.routes.users import add_erasure, add_merge, add_user_features
from serving.http.settings import AccessSettings, AssistantSettings
from serving.http.status import Status
from serving.http.transparency.routes import add_transparency
from serving.models.columns.about import About
from serving.ranking.texts.rerank import Rerank
from serving.shops.registry.registry import Registry
from serving.shops.shop import Shops
from serving.telemetry.stages import LateTraces


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the HTTP layer calls."""

    shops: Shops
    registry: Registry
    rankings: RankingRoutes
    pages: PageRoutes
    events: EventRoutes
    rerank: Rerank
    answers: AnswerRoutes
    status: Status
    keys: Keyring
    access: AccessSettings
    assistant: AssistantSettings
    clock: Callable[[], float] = time.time
    about: Callable[[], About] = About  # of the ranker's version in use; blocks
    late_traces: LateTraces | None = None
    max_picture_bytes: int | None = None  # None: nobody looks at pictures
    archived: bool = False  # whether there is an archive beside the log
    demo: bool = False  # whether there is a demo shop
    demo_shoppers: Collection[str] = ()  # that it may act for, beside those that it makes
    close: Callable[[], None] = lambda: None  # ends the threads behind it, and closes the stores


def http_app(endpoints: Endpoints, traced: bool = False) -> FastAPI:
    """The ASGI application over `endpoints`. traced: see RequestMiddleware's `decided`."""
    app = FastAPI(
        title="Vitrine",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # Our middleware has span and metrics; FastAPI's would tell paths, and so raw user ids.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,  # a redirect would go to whatever host the caller named
    )
    # The last one is the outermost.
    app.add_middleware(Direct, routes=app.routes)
    app.add_middleware(Streams, most=endpoints.access.max_streams)
    app.add_middleware(CrossOrigin, keys=endpoints.keys)
    app.add_middleware(ClientAddress, trusted_proxies=endpoints.access.trusted_proxies)
    app.add_middleware(
        RequestMiddleware,
        limits=_limits(endpoints.access, endpoints.max_picture_bytes),
        late_traces=endpoints.late_traces,
        decided=traced,
    )
    add_error_answers(app)
    # The order is that of the OpenAPI document.
    endpoints.rankings.add_to(app, endpoints.keys)
    endpoints.pages.add_to(app, endpoints.keys)
    add_suggest(app, endpoints.shops, endpoints.keys)
    add_rerank(app, endpoints.rerank, endpoints.keys)
    endpoints.answers.add_to(app, endpoints.keys)
    labels = LabelRoutes(endpoints.shops, endpoints.rerank.turns, endpoints.clock)
    labels.add_to(app, endpoints.keys)
    endpoints.events.add_to(app, endpoints.keys)
    items = ItemRoutes(endpoints.shops, endpoints.access.max_import_line_bytes, endpoints.clock)
    items.add_to(app, endpoints.keys)
    add_pictures(app, endpoints.shops, endpoints.keys)
    add_merge(app, endpoints.shops, endpoints.keys, endpoints.clock)
    add_erasure(app, endpoints.shops, endpoints.keys)
    preferences = Preferences(endpoints.clock)
    choosing = PreferenceRoutes(endpoints.shops, preferences)
    choosing.add_to(app, endpoints.keys)
    data = DataRoutes(endpoints.shops, endpoints.status, preferences, endpoints.archived)
    data.add_to(app, endpoints.keys)
    add_user_features(app, endpoints.shops, endpoints.status, endpoints.keys)
    add_experiments(app, endpoints.shops, endpoints.status, endpoints.keys)
    add_placements(app, endpoints.shops, endpoints.keys)
    add_transparency(app, endpoints.shops, endpoints.about, endpoints.keys, endpoints.clock)
    add_shops(app, endpoints.registry, endpoints.shops, endpoints.keys)
    add_operations(app, endpoints.shops, endpoints.status, endpoints.keys)
    add_docs(app)
    add_console(app)
    add_home(app, endpoints.demo)
    add_snippet(app)
    if endpoints.demo:
        shoppers = DemoShoppers(endpoints.shops, endpoints.demo_shoppers)
        DemoRights(shoppers, choosing, data).add_to(app, endpoints.keys)
        add_pages(app, endpoints.shops, endpoints.keys)
    if endpoints.assistant.enabled:
        # Imported here: the protocol is 19 MiB that only those pay who ask for it.
        from serving.http.assistant.door import add_assistant

        add_assistant(
            app, endpoints.rankings, endpoints.shops, endpoints.keys, endpoints.assistant.origins
        )
    schema = document(app)
    app.openapi = lambda: schema  # type: ignore[method-assign]
    app.openapi_url = "/openapi.json"
    app.setup()
    return app


def _limits(access: AccessSettings, max_picture_bytes: int | None) -> BodyLimits:
    # Of an import each line is bounded, and there may be any number of them.
    others: dict[str, int | None] = {
        "/v1/items": access.max_items_body_bytes,
        "/v1/answers": access.max_items_body_bytes,
        "/v1/items/import": None,
        "/v1/events/import": None,
    }
    # As base64, with what is around it.
    pictures = max_picture_bytes and 4 * max_picture_bytes // 3 + 1024
    return BodyLimits(access.max_body_bytes, others, pictures)
