"""The one configuration object. Chart values, RayService `args:` and the local stack all end here.

Unknown keys fail the deploy instead of being dropped in silence. Secrets are paths to mounted
files, never values. Replica counts and autoscaling are in `deployments`.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from features.store.settings import StoreSettings


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


class TlsSettings(Section):
    """TLS towards a server, as PEM files; with certificate and key it is mutual."""

    ca_file: Path | None = Field(None, description="Whom to trust; null: the system's roots.")
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("give cert_file and key_file together")
        return self


class ModelSettings(Section):
    """Where Triton answers, and what may be asked of it."""

    grpc_address: str = "127.0.0.1:8001"
    tls: TlsSettings | None = Field(None, description="null: in the clear, as on loopback.")
    ranker: str = "ranker"
    encoder: str = "encoder"
    tokenizer_path: Path = Field(description="tokenizer.json of the BERT family.")
    max_item_tokens: PositiveInt = 48
    max_query_tokens: PositiveInt = 48
    user_history: NonNegativeInt = Field(
        20, description="Recent items of the user that BERT reads; scoring.USER_HISTORY."
    )
    session_history: NonNegativeInt = 8
    bought_history: NonNegativeInt = Field(
        64, description="Newest purchases of the user that BERT reads; scoring.BOUGHT_HISTORY."
    )


class RankerSettings(Section):
    """Batching across requests, counted in candidate rows."""

    max_batch_rows: PositiveInt = 2048
    max_batch_requests: PositiveInt = 32
    concurrent_batches: PositiveInt = 2  # one is packed while one runs
    max_queued_rows: PositiveInt = 8192


class BreakerSettings(Section):
    """When a model that does not answer is not asked any more, and when it is tried again."""

    failures: PositiveInt = Field(3, description="In a row, until callers stop asking.")
    failing_s: PositiveFloat = Field(
        0.25,
        description="And for so long at least: one slow batch fails all its requests at once.",
    )
    fair_budget_s: PositiveFloat = Field(
        0.1, description="A timeout after less than this is the caller's doing, not the model's."
    )
    probe_interval_s: PositiveFloat = Field(
        0.5, description="Between two tries of a model that is not asked; the next request's call."
    )


class PipelineSettings(Section):
    """When the model answers, and how long it may take."""

    default_budget_s: PositiveFloat = 0.5
    model_budget_s: PositiveFloat = Field(
        0.15,
        description="What one call to a model may take of the default budget: what a model that "
        "hangs costs a caller. A caller with more time than that gives in proportion.",
    )
    max_budget_s: PositiveFloat = 5.0
    rules_reserve_s: PositiveFloat = Field(
        0.02, description="Kept back from the budget so that rules can still answer in time."
    )
    features_budget_s: PositiveFloat = 0.1
    min_interactions: PositiveInt = Field(
        2, description="Interactions of user and session together from which the model is used."
    )

    min_shortlist: PositiveInt = Field(
        50,
        description="When time is short the model ranks only the best by rules, but as many as "
        "this (docs/quality.md has what that costs).",
    )

    def model_share_s(self, left_s: float) -> float:
        """What one call to a model may take of a caller's `left_s`."""
        patience = max(left_s / self.default_budget_s, 1.0)
        return min(left_s, self.model_budget_s * patience)


class RetrievalSettings(Section):
    """Embedded retrieval for search and recommend."""

    candidates: PositiveInt = 200
    vectors_path: Path = Field(description="Cache of item vectors by content key.")
    neighbors_path: Path = Field(
        description="Item-to-item tables of the last feature job; taken over when they change."
    )


class AdmissionSettings(Section):
    """What is refused at once rather than queued."""

    max_ongoing_rankings: PositiveInt = Field(
        50, description="Of a replica: what it holds it must answer in time (docs/autoscaling.md)."
    )
    max_concurrent_rankings: PositiveInt = Field(
        6,
        description="Worked on at once; others wait for half of what their budget has left, then "
        "are refused.",
    )


class TracingSettings(Section):
    """What is traced beyond the sample. Exporter and ratio are environment: docs/tracing.md."""

    slow_s: PositiveFloat = Field(
        0.25, description="A request that took longer, or failed, is traced though not sampled."
    )


class LogSettings(Section):
    """Our own log lines, JSON; see features/telemetry/logs.py."""

    folder: Path | None = Field(
        None, description="Of `<part>.log`; null: standard error, which Ray keeps by process."
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class ReplicaSettings(Section):
    """One Ray Serve deployment: how much a replica takes on, and when there is another one.

    Serve adds a replica when the requests under way exceed `target_ongoing_requests` a replica.
    """

    min_replicas: PositiveInt = 1
    max_replicas: PositiveInt = 1
    target_ongoing_requests: PositiveFloat = 2
    upscale_delay_s: PositiveFloat = 5
    downscale_delay_s: PositiveFloat = 300
    max_ongoing_requests: PositiveInt = 128
    max_queued_requests: PositiveInt = Field(256, description="More is refused at once.")
    num_cpus: PositiveFloat = Field(0.1, description="What a replica reserves of its node.")


class DeploymentsSettings(Section):
    """The deployments of the graph."""

    # What waits here waits unseen by its deadline: little may, and the rest is refused at once.
    ingress: ReplicaSettings = ReplicaSettings(max_ongoing_requests=64, max_queued_requests=32)
    ranker: ReplicaSettings = ReplicaSettings(max_queued_requests=128)
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
    breaker: BreakerSettings = BreakerSettings()
    admission: AdmissionSettings = AdmissionSettings()
    tracing: TracingSettings = TracingSettings()
    logs: LogSettings = LogSettings()
    refresh_interval_s: PositiveFloat = Field(
        1.0, description="How often a replica takes over changed items and item features."
    )
    pages: bool = Field(default=False, description="Serve the demo shop at /demo.")
    random_seed: int | None = Field(None, description="Seed of exploration; null: from the system.")
    deployments: DeploymentsSettings = DeploymentsSettings()
