"""A prepared state folder: where it lies, and what it says of itself."""

import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from features.behavior.matrix import FEATURE_NAMES
from features.events.nats.settings import NatsSettings
from features.store.settings import PRICES_FILE, RedisSettings, StoreSettings, embedded_store
from serving.http.problems import first_problem
from serving.http.settings import AccessSettings, AssistantSettings
from serving.models.contract import EncoderProfile
from serving.models.settings import ModelSettings
from serving.pictures.settings import PictureSettings
from serving.ranking.settings import PipelineSettings
from serving.search.settings import RetrievalSettings
from serving.settings import DeploymentsSettings, Settings
from serving.shops.alerts.settings import AlertSettings
from serving.telemetry.settings import LogSettings

DEV_KEY = "dev"
ALERTS_FILE = "alerts.json"
_PUBLIC_DATA = ("grocery", "simulated")
LAYOUT = 1  # raised when a state folder of an older version cannot be served any more


class StateFolderError(Exception):
    """The folder cannot be served; the message is one line that says what to do."""


class Sample(BaseModel):
    """Something to ask for, from the data set: the lines that `make serve` prints, and tests."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    item_ids: list[str]
    query: str


@dataclass(frozen=True, slots=True)
class Encoder:
    """Which encoder a folder was prepared with, where its tokenizer lies, and for what language."""

    profile: EncoderProfile
    tokenizer: Path
    language: str = "en"


class Prepared(BaseModel):
    """What a prepared folder says of itself; written last, so an interrupted set-up starts anew."""

    model_config = ConfigDict(frozen=True)

    layout: int = LAYOUT
    feature_names: tuple[str, ...] = FEATURE_NAMES
    data: str
    n_items: int
    sample: Sample
    encoder: EncoderProfile = EncoderProfile.ENGLISH
    language: str = "en"  # of most titles, ISO 639-1


def folder_of(state: Path, source: str) -> Path:
    """Where the state of a data source lies: one folder a source, by a name of ASCII only.

    Triton's Python stub imports models from nowhere else, whatever the locale. Raises
    StateFolderError when `state` itself lies elsewhere.
    """
    given = Path(source).name if "/" in source else source
    name = re.sub(r"[^\w.-]+", "-", given, flags=re.ASCII).strip("-")
    if not given.isascii():
        name = f"{name or 'data'}-{blake2b(given.encode(), digest_size=4).hexdigest()}"
    folder = (state / (name or "data")).resolve()
    if not str(folder).isascii():
        raise StateFolderError(
            f"{folder}: the model server reads only paths of ASCII: choose another with STATE="
        )
    return folder


def prepared(folder: Path) -> Prepared | None:
    """What `prepare` left in `folder`; None when it never finished.

    Raises StateFolderError when another version of this code prepared it.
    """
    path = folder / "prepared.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_bytes())
    if (content.get("layout"), content.get("feature_names")) != (LAYOUT, list(FEATURE_NAMES)):
        raise StateFolderError(
            f"{folder} was prepared by another version and holds the events taken since: "
            "move it away, or choose another place with STATE="
        )
    return Prepared.model_validate(content)


def store_for(folder: Path, redis: str | None, nats: str | None = None) -> StoreSettings:
    """Where features live: files of `folder`, or the Redis at `redis`, host:port; and the log in
    the NATS at `nats`, a URL.

    Raises StateFolderError for a `prices.json` that cannot be used.
    """
    try:
        embedded = embedded_store(folder)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StateFolderError(f"{folder / PRICES_FILE}: {place}: {first['msg']}") from error
    if redis is None:
        return embedded
    host, _, port = redis.rpartition(":")
    at = RedisSettings(host=host, port=int(port))
    log = NatsSettings(servers=[nats]) if nats else None
    return StoreSettings(state=folder, prices=embedded.prices, kind="redis", redis=at, nats=log)


def objective_of(folder: Path) -> Path | None:
    """The folder's objective; one that was prepared before there was any has none."""
    path = folder / "objective.yaml"
    return path if path.is_file() else None


def alerts_of(folder: Path) -> AlertSettings:
    """Where alerts may be told, of `alerts.json`; without one, nowhere.

    Raises StateFolderError.
    """
    path = folder / ALERTS_FILE
    if not path.is_file():
        return AlertSettings()
    try:
        return AlertSettings.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StateFolderError(f"{path}: {first_problem(error)}") from None


def demo_shoppers_of(folder: Path) -> list[str]:
    """Of public data the shopper of the printed lines; of a shop's own data nobody."""
    done = prepared(folder)
    return [done.sample.user_id] if done is not None and done.data in _PUBLIC_DATA else []


def settings_for(
    folder: Path,
    tokenizer: Path,
    grpc_port: int,
    keys: Path | None,
    redis: str | None = None,
    replicas: int = 1,
    encoder: Encoder | None = None,
    nats: str | None = None,
    assistant: bool = False,
    pictures: PictureSettings | None = None,
) -> Settings:
    """The embedded default over a prepared folder; `encoder`: None for the English one; pictures:
    None: nobody looks at any.
    """
    encoder = encoder or Encoder(EncoderProfile.ENGLISH, tokenizer)
    several = {"min_replicas": replicas, "max_replicas": replicas}
    usual = DeploymentsSettings()
    return Settings(
        access=AccessSettings(
            keys_path=keys or folder / "keys.json", pseudonym_key_path=folder / "pseudonym.key"
        ),
        model=ModelSettings(
            grpc_address=f"127.0.0.1:{grpc_port}",
            tokenizer_path=tokenizer,
            encoder_profile=encoder.profile,
            encoder_tokenizer_path=encoder.tokenizer,
        ),
        store=store_for(folder, redis, nats),
        retrieval=RetrievalSettings(
            language=encoder.language,
            vectors_path=folder / "vectors.npz",
            neighbors_path=folder / "neighbors.npz",
        ),
        rules_path=folder / "rules.yaml",
        objective_path=objective_of(folder),
        alerts=alerts_of(folder),
        logs=LogSettings(folder=folder / "logs"),
        assistant=AssistantSettings(enabled=assistant),
        pages=True,
        demo_shoppers=demo_shoppers_of(folder),
        # One ingress replica has nobody to batch with.
        pipeline=PipelineSettings(ranker="ingress" if replicas == 1 else "deployment"),
        pictures=pictures,
        deployments=DeploymentsSettings(
            ingress=usual.ingress.model_copy(update=several),
            ranker=usual.ranker.model_copy(update=several),
            cold_start=usual.cold_start,
        ),
    )
