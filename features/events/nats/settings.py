"""How the log reaches NATS, and how much it may keep there."""

from pathlib import Path
from typing import Any, Self

from pydantic import (
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from features.login import Login

_GIBIBYTE = 1 << 30


class NatsSettings(Login):
    """NATS with JetStream, 2.12 or newer: batches are stored whole or not at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: list[str] = Field(["nats://127.0.0.1:4222"], min_length=1)
    prefix: str = Field(
        "vitrine", pattern="^[A-Za-z0-9_-]+$", description="Of the names of streams and subjects"
    )
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    timeout_s: PositiveFloat = 2.0
    lease_s: float = Field(
        10.0, ge=0.1, description="How long the lease of an ingest that was killed runs on"
    )
    replicas: PositiveInt = Field(
        1, le=5, description="Servers that keep a copy; with 3 the loss of one loses nothing"
    )
    events_max_bytes: int = Field(
        _GIBIBYTE,
        ge=1 << 20,
        description="Above three quarters the oldest events that were folded go; when it is full, "
        "no event is accepted",
    )
    commits: PositiveInt = Field(
        10_000,
        description="Of so many the changed items are still told; a replica that was away for "
        "more reads all counters anew",
    )
    rankings_max_bytes: int = Field(
        2 * _GIBIBYTE, ge=1 << 20, description="Above it the oldest rankings go"
    )

    lease_prefix: SkipJsonSchema[str | None] = Field(
        default=None, description="Of the lease, where it is not `prefix`; see of_space"
    )

    def of_space(self, space: str, share: float) -> Self:
        """The streams of one shop of several, with this share of the bounds; one lease is all
        shops'.
        """
        bounds = {
            name: max(int(share * getattr(self, name)), 1 << 20)
            for name in ("events_max_bytes", "rankings_max_bytes")
        }
        names = {"prefix": f"{self.prefix}_{space}", "lease_prefix": self.prefix}
        return self.model_copy(update={**names, **bounds})

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("give tls_cert_file and tls_key_file together")
        if self.tls_cert_file and not self.tls_ca_file:
            raise ValueError("give tls_ca_file with tls_cert_file")
        return self

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of `nats.connect` that say where, and as whom."""
        options: dict[str, Any] = {"servers": self.servers}
        if self.username is not None:
            options |= {"user": self.username, "password": self.secret()}
        if self.tls_ca_file is not None:
            # Here, so that settings are read without it.
            import ssl

            context = ssl.create_default_context(cafile=str(self.tls_ca_file))
            if self.tls_cert_file is not None:
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
            options["tls"] = context
        return options
