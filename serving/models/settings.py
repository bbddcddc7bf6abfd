"""Where the model server answers, and how it is asked."""

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from serving.models.contract import EncoderProfile
from serving.section import Section


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
    tokenizer_path: Path = Field(description="The ranker's: tokenizer.json of the BERT family.")
    encoder_profile: EncoderProfile = Field(
        EncoderProfile.ENGLISH, description="Of the encoder's version in use."
    )
    encoder_tokenizer_path: Path | None = Field(
        None, description="That profile's tokenizer.json or .model; null: the ranker's."
    )

    @model_validator(mode="after")
    def _tokenizer_of_the_profile(self) -> Self:
        if self.encoder_profile is not EncoderProfile.ENGLISH and not self.encoder_tokenizer_path:
            raise ValueError(f"give encoder_tokenizer_path for {self.encoder_profile}")
        return self


class RankerSettings(Section):
    """Batching across requests, counted in candidate rows: in an ingress replica, which sends what
    waits in one call, and in the Ranker, which makes one batch of what waits there.
    """

    max_batch_rows: PositiveInt = 2048
    max_batch_requests: PositiveInt = 32
    concurrent_batches: PositiveInt = 2  # one is packed while one runs
    concurrent_calls: PositiveInt = Field(
        1, description="Of an ingress replica to the Ranker; what comes meanwhile shares the next."
    )
    call_patience_s: PositiveFloat = Field(
        0.05, description="With a call that is under way: then the next one no longer waits for it."
    )
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
