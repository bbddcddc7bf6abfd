"""The one configuration object. Chart values, RayService `args:` and the local stack all end here.

Unknown keys fail the deploy instead of being dropped in silence. Secrets are paths to mounted
files, never values. Replica counts and autoscaling are in `deployments`.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

from features.settings import StoreSettings


class Section(BaseModel):
    """A part of the settings: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccessSettings(Section):
    """Who may call, and what becomes of their shoppers' ids."""

    keys_path: Path = Field(description="JSON list of API keys: name, sha256, scopes, rate_per_s.")
    pseudonym_key_path: Path = Field(
        description="Secret bytes; user and session ids are stored as HMAC-SHA256 under it."
    )
    max_body_bytes: PositiveInt = 1024 * 1024


class ModelSettings(Section):
    """Where Triton answers, and what may be asked of it."""

    grpc_address: str = "127.0.0.1:8001"
    ranker: str = "ranker"
    encoder: str = "encoder"
    tokenizer_path: Path = Field(description="tokenizer.json of the BERT family.")
    max_item_tokens: PositiveInt = 48
    max_query_tokens: PositiveInt = 48
    user_history: NonNegativeInt = Field(
        20, description="Recent items of the user that BERT reads; scoring.USER_HISTORY."
    )
    session_history: NonNegativeInt = 8


class RankerSettings(Section):
    """Batching across requests, counted in candidate rows."""

    max_batch_rows: PositiveInt = 2048
    max_batch_requests: PositiveInt = 32
    concurrent_batches: PositiveInt = 2  # one is packed while one runs
    max_queued_rows: PositiveInt = 8192


class PipelineSettings(Section):
    """When the model answers, and how long it may take."""

    default_budget_s: PositiveFloat = 0.5
    max_budget_s: PositiveFloat = 5.0
    rules_reserve_s: PositiveFloat = Field(
        0.02, description="Kept back from the budget so that rules can still answer in time."
    )
    features_budget_s: PositiveFloat = 0.1
    min_interactions: PositiveInt = Field(
        2, description="Interactions of user and session together from which the model is used."
    )


class RetrievalSettings(Section):
    """Embedded retrieval for search and recommend."""

    candidates: PositiveInt = 200
    vectors_path: Path = Field(description="Cache of item vectors by content key.")
    neighbors_path: Path = Field(description="Item-to-item tables of the last feature job.")


class AdmissionSettings(Section):
    """What is refused at once rather than queued."""

    max_ongoing_rankings: PositiveInt = 64


class TracingSettings(Section):
    """OpenTelemetry."""

    exporter: Literal["none", "console", "otlp"] = "none"
    otlp_endpoint: str = "http://127.0.0.1:4318/v1/traces"
    sampling_ratio: float = Field(0.01, ge=0, le=1)
    service_name: str = "vitrine"


class ReplicaSettings(Section):
    """One Ray Serve deployment: how much a replica takes on, and when there is another one.

    Serve adds a replica when the requests under way exceed `target_ongoing_requests` a replica.
    """

    min_replicas: PositiveInt = 1
    max_replicas: PositiveInt = 1
    target_ongoing_requests: PositiveFloat = 16
    upscale_delay_s: PositiveFloat = 5
    downscale_delay_s: PositiveFloat = 300
    max_ongoing_requests: PositiveInt = 128
    max_queued_requests: PositiveInt = Field(256, description="More is refused at once.")
    num_cpus: PositiveFloat = Field(0.1, description="What a replica reserves of its node.")


class DeploymentsSettings(Section):
    """The deployments of the graph."""

    ingress: ReplicaSettings = ReplicaSettings()
    ranker: ReplicaSettings = ReplicaSettings(target_ongoing_requests=8, max_queued_requests=128)
    cold_start: ReplicaSettings = ReplicaSettings(max_ongoing_requests=64, max_queued_requests=128)


class Settings(Section):
    """Everything that `build_app` needs."""

    access: AccessSettings
    model: ModelSettings
    store: StoreSettings
    retrieval: RetrievalSettings
    rules_path: Path = Field(description="The merchandiser's rules; see docs/rules.md.")
    ranker: RankerSettings = RankerSettings()
    pipeline: PipelineSettings = PipelineSettings()
    admission: AdmissionSettings = AdmissionSettings()
    tracing: TracingSettings = TracingSettings()
    refresh_interval_s: PositiveFloat = Field(
        1.0, description="How often a replica takes over changed items and item features."
    )
    pages: bool = Field(default=False, description="Serve the demo shop at /demo.")
    random_seed: int | None = Field(None, description="Seed of exploration; null: from the system.")
    deployments: DeploymentsSettings = DeploymentsSettings()
