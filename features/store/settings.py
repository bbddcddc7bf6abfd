"""Where features live, as one settings object. Importing it does not import Feast."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from features.catalog.prices import Prices
from features.events.nats.settings import NatsSettings
from features.login import Login

PROJECT = "vitrine"  # Feast's project
_SPACE = "^[a-z0-9][a-z0-9-]{0,62}$"
KEYS = "{vitrine}"  # the default shop's keys in Redis begin so
SPACES = "shops"  # what lies beside the default shop's own
PRICES_FILE = "prices.json"  # in a state folder: Prices


class RedisSettings(Login):
    """How to reach a Redis or Valkey server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: PositiveInt = 6379
    db: int = Field(default=0, ge=0)
    tls: bool = False
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    timeout_s: PositiveFloat = 0.5

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        if not self.tls and (self.tls_ca_file or self.tls_cert_file or self.tls_key_file):
            raise ValueError("TLS files are given but tls is off")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("give tls_cert_file and tls_key_file together")
        return self

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of `redis.Redis`, host and port included."""
        options = {
            "host": self.host,
            "port": self.port,
            "db": self.db,
            "username": self.username,
            "password": self.secret(),
            "socket_timeout": self.timeout_s,
            "socket_connect_timeout": self.timeout_s,
            "ssl": self.tls or None,
            "ssl_ca_certs": self.tls_ca_file and str(self.tls_ca_file),
            "ssl_certfile": self.tls_cert_file and str(self.tls_cert_file),
            "ssl_keyfile": self.tls_key_file and str(self.tls_key_file),
        }
        return {name: value for name, value in options.items() if value is not None}

    def connection_string(self) -> str:
        """The same for Feast, which splits at commas and reads each value as JSON if it can."""
        options = self.client_options()
        address = f"{options.pop('host')}:{options.pop('port')}"
        for name, value in options.items():
            if "," in str(value):
                raise ValueError(f"Feast cannot take a comma in the Redis option {name!r}")
        return ",".join([address, *(f"{name}={json.dumps(options[name])}" for name in options)])


class StoreSettings(BaseModel):
    """Where features live. The embedded default needs nothing but the folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Path = Path(".vitrine")
    kind: Literal["sqlite", "redis"] = "sqlite"
    redis: RedisSettings = RedisSettings()
    nats: NatsSettings | None = Field(
        default=None, description="The event log in NATS JetStream, rather than in Redis"
    )
    registry: str | None = Field(
        default=None, description="File or object URL; default: feast-registry.db in `state`"
    )
    registry_refresh_s: PositiveInt = 60
    prices: Prices = Field(Prices(), description="The shop's currency, and rates of others.")
    log_max_bytes: PositiveInt | None = Field(
        default=None,
        description="Of events and rankings; above it the oldest rankings go first. Default: 0.6 "
        "of Redis's own maxmemory; for files, none",
    )
    archive: str | None = Field(
        default=None,
        description="Folder or URL (s3://bucket/shop) where events go, and rankings of experiments "
        "and of chance, before the log forgets them",
    )
    offline: str | None = Field(
        default=None, description="Folder of snapshots; default: in `state`"
    )

    shop_share: float = Field(
        default=0.02,
        gt=0,
        le=1,
        description="Of the bounds of the log, what each shop beside the default one gets",
    )
    space: SkipJsonSchema[str] = Field(
        default="", pattern=f"{_SPACE}|^$", description="Of one of them; see of_shop"
    )

    @model_validator(mode="after")
    def _log_fits(self) -> Self:
        if self.nats is not None and self.kind != "redis":
            raise ValueError("nats holds the log of a store of kind redis")
        if self.nats is not None and self.log_max_bytes is not None:
            raise ValueError(
                "log_max_bytes bounds a log in the store: give nats.events_max_bytes and "
                "nats.rankings_max_bytes"
            )
        return self

    def of_shop(self, space: str, prices: Prices) -> Self:
        """The store of a shop beside the default one: nothing of it lies where another's does.

        space: names all that is kept of it: its folder, keys, streams and Feast project
        """
        share, nats = self.shop_share, self.nats
        return type(self).model_validate(
            {
                **dict(self),
                "space": space,
                "prices": prices,
                "state": self.state / SPACES / space,
                "registry": None,
                "offline": self.offline and str(Path(self.offline) / SPACES / space),
                "archive": self.archive and f"{self.archive.rstrip('/')}/{SPACES}/{space}",
                "log_max_bytes": self.log_max_bytes and max(int(share * self.log_max_bytes), 1),
                "nats": nats and nats.of_space(space, share),
            }
        )

    @property
    def project(self) -> str:
        """Feast's project, whose name has no hyphens."""
        return f"{PROJECT}_{self.space.replace('-', '_')}" if self.space else PROJECT

    @property
    def prefix(self) -> str:
        """Of all keys in Redis but Feast's; the braces put all shops' into one slot."""
        return f"{KEYS}:{SPACES}:{self.space}" if self.space else KEYS

    @property
    def online_path(self) -> Path:
        """The SQLite online store."""
        return self.state.resolve() / "online.db"

    @property
    def offline_path(self) -> Path:
        """The folder of snapshots."""
        return Path(self.offline) if self.offline else self.state.resolve() / "offline"

    @property
    def registry_path(self) -> str:
        """Feast's registry. One for each process is enough: `apply` writes the same everywhere."""
        return self.registry or str(self.state.resolve() / "feast-registry.db")

    @property
    def log_path(self) -> Path:
        """The embedded event log."""
        return self.state.resolve() / "events.db"

    @property
    def catalog_path(self) -> Path:
        """The embedded catalogue."""
        return self.state.resolve() / "items.db"

    @property
    def controls_path(self) -> Path:
        """The embedded controls: what was decided of experiments, and tallies."""
        return self.state.resolve() / "controls.db"

    @property
    def pictures_path(self) -> Path:
        """The embedded pictures: what waits, what failed, and the vectors."""
        return self.state.resolve() / "pictures.db"


def embedded_store(folder: Path) -> StoreSettings:
    """The store in the files of `folder`, with the prices that its `prices.json` says, if any.

    Raises ValidationError.
    """
    path = folder / PRICES_FILE
    prices = Prices.model_validate_json(path.read_bytes()) if path.is_file() else Prices()
    return StoreSettings(state=folder, prices=prices)
