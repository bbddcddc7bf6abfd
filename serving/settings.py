"""The one configuration object. Chart values, RayService `args:` and the local stack all end here.

Unknown keys fail the deploy instead of being dropped in silence. Secrets are paths to mounted
files, never values. Replica counts and autoscaling are in `deployments`.
"""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from features.store.settings import StoreSettings
from serving.http.settings import AccessSettings, AssistantSettings
from serving.models.settings import BreakerSettings, ModelSettings, RankerSettings
from serving.pictures.settings import PictureSettings
from serving.ranking.settings import AdmissionSettings, PipelineSettings
from serving.search.settings import RetrievalSettings
from serving.section import Section
from serving.shops.alerts.settings import AlertSettings
from serving.telemetry.settings import LogSettings, TracingSettings


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

    def autoscaling(self) -> dict[str, float]:
        """Serve's AutoscalingConfig; the chart names the same for each deployment."""
        return {
            "min_replicas": self.min_replicas,
            "max_replicas": self.max_replicas,
            "target_ongoing_requests": self.target_ongoing_requests,
            "upscale_delay_s": self.upscale_delay_s,
            "downscale_delay_s": self.downscale_delay_s,
        }


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
    objective_path: Path | None = Field(
        None, description="What the shop wants, docs/experiments.md; null: the defaults."
    )
    ranker: RankerSettings = RankerSettings()
    pipeline: PipelineSettings = PipelineSettings()
    breaker: BreakerSettings = BreakerSettings()
    admission: AdmissionSettings = AdmissionSettings()
    alerts: AlertSettings = AlertSettings()
    tracing: TracingSettings = TracingSettings()
    logs: LogSettings = LogSettings()
    pictures: PictureSettings | None = Field(
        None, description="How pictures are looked at, docs/pictures.md; null: not at all."
    )
    refresh_interval_s: PositiveFloat = Field(
        0.25, description="How often a replica takes over changed items and item features."
    )
    assistant: AssistantSettings = AssistantSettings()
    pages: bool = Field(default=False, description="Serve the demo shop at /demo.")
    demo_shoppers: list[str] = Field(
        [], description="Whose choices and data anybody on /demo may see and change, docs/demo.md."
    )
    random_seed: int | None = Field(None, description="Seed of exploration; null: from the system.")
    deployments: DeploymentsSettings = DeploymentsSettings()
