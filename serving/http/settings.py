"""Who may call, and how much may come at once."""

from pathlib import Path

from pydantic import Field, IPvAnyNetwork, PositiveInt

from serving.section import Section


class AccessSettings(Section):
    """Who may call, and what becomes of their shoppers' ids."""

    keys_path: Path = Field(
        description="JSON list of API keys: their fields are in docs/access.md."
    )
    pseudonym_key_path: Path = Field(
        description="Secret bytes; user and session ids are stored as HMAC-SHA256 under it."
    )
    max_body_bytes: PositiveInt = 1024 * 1024
    max_items_body_bytes: PositiveInt = Field(
        16 * 1024 * 1024, description="Of lists of items (PUT and PATCH /v1/items)."
    )
    max_import_line_bytes: PositiveInt = Field(
        256 * 1024,
        description="Of one line of POST /v1/items/import and POST /v1/events/import, "
        "which have no other limit.",
    )
    max_import_waiting: PositiveInt = Field(
        5_000,
        description="Events that may wait for ingest while POST /v1/events/import takes lines: "
        "a live one waits behind them.",
    )
    max_streams: PositiveInt = Field(
        4,
        le=9,
        description="Imports and copies of shoppers that a replica has under way at once. HAProxy "
        "gives it ten requests at a time: rankings have the others.",
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Networks of load balancers whose X-Forwarded-For is believed."
    )


class AssistantSettings(Section):
    """The door for assistants (docs/assistant.md)."""

    enabled: bool = Field(False, description="Answer MCP at /mcp, with keys of the scope rank.")
    origins: tuple[str, ...] = Field(
        (),
        description="Origins of pages whose requests to /mcp are answered, as browsers send them.",
    )
