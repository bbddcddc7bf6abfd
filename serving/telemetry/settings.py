"""What is traced and logged."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat

from serving.section import Section


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
