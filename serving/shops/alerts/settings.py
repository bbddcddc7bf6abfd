"""Where alerts may be told."""

from pathlib import Path

from pydantic import Field, PositiveFloat

from serving.section import Section


class AlertSettings(Section):
    """Of webhooks. The rules name the address; here stands which hosts it may have."""

    hosts: list[str] = Field([], description="Hosts that a webhook may have, as hooks.example.com.")
    secret_path: Path | None = Field(
        None, description="The secret that signs what is sent, at least 24 bytes in base64."
    )
    ca_file: Path | None = Field(
        None, description="Whom to trust for its certificate, PEM; null: the system's roots."
    )
    private_addresses: bool = Field(
        default=False, description="Whether such a host may have an address of a private network."
    )
    timeout_s: PositiveFloat = Field(5.0, description="Of one try.")
