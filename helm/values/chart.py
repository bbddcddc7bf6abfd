"""values.yaml as a whole; helm/values/schema.py makes the schema of it.

What the code defines (its settings, the merchandiser's rules) comes from the code's own models.
"""

from typing import Annotated, Any

from pydantic import Field

from features.catalog.prices import Prices
from features.objective import Objective
from helm.values.outside import HttpRoute, Ingress, Monitoring, Policies, Service, Tracing
from helm.values.parts import Images, Values
from helm.values.types import text
from helm.values.workloads import (
    Archive,
    Auth,
    Demo,
    Experiments,
    Ingest,
    LoadTest,
    ModelServer,
    Nats,
    Neighbors,
    Pictures,
    Pseudonyms,
    Publish,
    Redis,
    Serving,
    Setup,
    SharedVolume,
    Training,
    Webhooks,
)
from serving.shops.rules import Rules


class Chart(Values):
    """All of values.yaml."""

    fullname_override: Annotated[str, text(r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$", 40)]
    images: Images
    serving: Serving
    auth: Auth
    pseudonyms: Pseudonyms
    rules: Rules
    objective: Objective
    prices: Prices
    shared_volume: SharedVolume
    redis: Redis
    nats: Nats
    archive: Archive
    webhooks: Webhooks
    model_server: ModelServer
    ingest: Ingest
    pictures: Pictures
    setup: Setup
    demo: Demo
    neighbors: Neighbors
    experiments: Experiments
    publish: Publish
    training: Training
    service: Service
    ingress: Ingress
    http_route: HttpRoute
    network_policy: Policies
    monitoring: Monitoring
    tracing: Tracing
    loadtest: LoadTest
    global_: Annotated[dict[str, Any] | None, Field(alias="global")] = None  # an umbrella chart's
