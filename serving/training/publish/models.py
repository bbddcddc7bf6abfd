"""Publishes bundles and the base model as versions of the three models of a Triton repository.

repository.py describes how a version gets into use. Runs in the model server's environment: no
torch.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from features.catalog.item import content_key
from serving.models.contract import EncoderProfile, Limits
from serving.models.packing import BatchError
from serving.models.runtime.pairs import PAIRS, SCORER
from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.sealed import BrokenVersionError
from serving.training.publish.base_model import (
    WeightsError,
    base_folder,
    merged_weights,
)
from serving.training.publish.candidates import offer
from serving.training.publish.encoders import ENCODER, publish_encoder
from serving.training.publish.execution import execution_of
from serving.training.publish.explaining.importance import family_importance
from serving.training.publish.explaining.trees import add_trees
from serving.training.publish.parity import ParityError, ParityLimits, with_ndcg
from serving.training.publish.pictures.version import PICTURES, publish_pictures
from serving.training.publish.repository import (
    PublishError,
    put_in_use,
    staging,
    version_in_use,
)
from serving.training.publish.texts import (
    read_texts,
    tokenize,
    with_slate_texts,
)
from serving.training.publish.version_files import (
    add_code,
    add_item_vectors,
    add_tower,
    add_tower_alone,
)

RANKER = "ranker"
CROSS_ENCODER = "cross_encoder"


def publish_ranker(
    repository: Path,
    bundle: Path,
    base: Path | None = None,
    item_texts: Path | None = None,
    slates: Path | None = None,
    limits: ParityLimits | None = None,
    precision: str = "int8",
    threads: int = 2,
    reload_urls: Sequence[str] = (),
    candidate: bool = False,
) -> int:
    """Put the bundle into use as the next version of the ranker; returns its number.

    candidate: serve it beside the version in use instead (candidates.py).

    item_texts: JSON lines of the catalogue's texts; their vectors are published with the version.
    slates: held-out slates for the parity gate (parity.slate_ndcgs); default: the bundle's
    held_out.npz, if it has one.
    Raises PublishError, and then the version before stays in use.
    """
    base = base or base_folder()
    needed = ("feature_names", "text_feature_names", "blend", "max_tokens", "base_sha256")
    training = _training(bundle, base, needed)
    slates = slates or bundle / "held_out.npz"
    with staging(repository, RANKER) as scratch:
        folder = scratch / "version"
        folder.mkdir()
        add_code(folder, RANKER)
        for name in ("training.json", *(f"{member}.onnx" for member in training["blend"])):
            shutil.copyfile(bundle / name, folder / name)
        add_trees(folder)
        counts: Mapping[str, float] | None = None
        texts = read_texts(item_texts) if item_texts else []
        tokens = tokenize(base / "tokenizer.json", texts, training["max_tokens"])
        try:
            parity = add_tower(
                folder,
                merged_weights(bundle, base),
                with_slate_texts(tokens, slates),
                precision,
                scratch,
            )
            execution = execution_of(precision)
            if parity is not None and execution is not None:
                # Opening it checks that it was trained on these text features.
                VersionRanker(folder, memory=1, providers=execution.providers)
                if texts:
                    keys = np.array([content_key(text) for text in texts], np.int64)
                    add_item_vectors(folder, keys, tokens, threads, execution)
                if slates.is_file():  # with the vectors of those of its texts that are for sale
                    parity = with_ndcg(parity, folder, slates, scratch, execution)
                    counts = family_importance(folder, slates, execution)
                parity.check(limits or ParityLimits())
        except (ParityError, WeightsError, BatchError, BrokenVersionError) as error:
            raise PublishError(f"{bundle}: {error}") from None
        shutil.copyfile(base / "tokenizer.json", folder / "tokenizer.json")
        about = {
            "data": training.get("dataset"),
            "features": training["feature_names"],
            "metrics": training.get("metrics"),
            "limits": _limits(training).as_dict(),
            "precision": precision,
            "parity": parity and asdict(parity),
            "importance": counts,
        }
        take = offer if candidate else None
        return put_in_use(repository, RANKER, folder, about, threads, reload_urls, take)


def publish_cross_encoder(
    repository: Path,
    bundle: Path,
    base: Path | None = None,
    limits: ParityLimits | None = None,
    precision: str = "int8",
    threads: int = 2,
    reload_urls: Sequence[str] = (),
) -> int:
    """Put a bundle of `cross_encoder.write_cross_encoder` into use as that model's next version.

    It is what the ranker is compared with in load tests; no deployment calls it. Returns its
    number. Raises PublishError, and then the version before stays in use.
    """
    base = base or base_folder()
    training = _training(bundle, base, ("max_tokens", "base_sha256"))
    with staging(repository, CROSS_ENCODER) as scratch:
        folder = scratch / "version"
        try:
            pairs = np.load(bundle / PAIRS)
            weights = merged_weights(bundle, base)
            parity = add_tower_alone(folder, CROSS_ENCODER, base, weights, pairs, precision, limits)
            shutil.copyfile(bundle / SCORER, folder / SCORER)
        except (OSError, ParityError, WeightsError, BrokenVersionError) as error:
            raise PublishError(f"{bundle}: {error}") from None
        about = {
            "data": training.get("dataset"),
            "max_tokens": training["max_tokens"],
            "precision": precision,
            "parity": parity and asdict(parity),
        }
        return put_in_use(repository, CROSS_ENCODER, folder, about, threads, reload_urls)


def ensure(
    repository: Path,
    bundle: Path,
    item_texts: Path | None = None,
    wait: float = 0.0,
    profile: EncoderProfile = EncoderProfile.ENGLISH,
    pictures: bool = False,
    **options: Any,
) -> None:
    """Publish the first version of each model that has none; raises PublishError.

    wait: seconds to wait for the file `item_texts`, which the set-up job writes; profile: of the
    encoder; pictures: whether the encoder of pictures is one of them.
    """
    if pictures and version_in_use(repository, PICTURES) is None:
        publish_pictures(repository, threads=options.get("threads", 2))
        print(f"{PICTURES}: first version published")
    missing = [m for m in (ENCODER, RANKER) if version_in_use(repository, m) is None]
    deadline_s = time.monotonic() + wait
    while missing and item_texts is not None and not item_texts.is_file():
        if time.monotonic() >= deadline_s:
            raise PublishError(f"{item_texts} is not there after {wait:.0f} s")
        time.sleep(0.5)
    for model in missing:
        if model == ENCODER:
            publish_encoder(repository, profile=profile, item_texts=item_texts, **options)
        else:
            publish_ranker(repository, bundle, item_texts=item_texts, **options)
        print(f"{model}: first version published")


def _limits(training: Mapping[str, Any]) -> Limits:
    """How much of a request it reads; a bundle of before says only how long its texts are."""
    read = {**training, **training.get("limits", {})}
    if "text_query" in training.get("unlearnt", {}):
        read["query_tokens"] = 0
    return Limits.of(read)


def _training(bundle: Path, base: Path, needed: Sequence[str]) -> dict[str, Any]:
    """training.json of `bundle`; raises PublishError when it or a model of the blend is missing."""
    try:
        training: dict[str, Any] = json.loads((bundle / "training.json").read_text())
        missing = [name for name in needed if name not in training]
    except (OSError, ValueError) as error:
        raise PublishError(f"{bundle}: training.json cannot be read: {error}") from None
    missing += [f for m in training.get("blend", ()) if not (bundle / (f := f"{m}.onnx")).is_file()]
    if missing:
        raise PublishError(f"{bundle}: {', '.join(missing)} missing")
    digest = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    if training["base_sha256"] != digest:
        raise PublishError(f"{bundle}: trained on other base weights than {base}")
    return training
