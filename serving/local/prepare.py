"""From a data set to a state folder that the stack can serve from. Done once per data set."""

import argparse
import json
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from features.catalog.language import dominant_language, nearly_all_english
from features.catalog.words import query_for
from features.datasets.format import Dataset, DatasetError
from features.store.settings import PRICES_FILE
from features.telemetry.progress import waiting
from serving.http.access.auth import ApiKey, Scope, hash_key
from serving.local.models import Publishing, PublishingError, bundle_for
from serving.local.state_folder import DEV_KEY, Prepared, Sample, store_for
from serving.models.contract import EncoderProfile
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.seeding import BESIDE, read_source, seed, write_item_texts

_HERE = Path(__file__).parent
_SHOWN = 8  # items to rank


def prepare(
    source: str,
    folder: Path,
    datasets: Path,
    n_items: int,
    triton_python: Path,
    console: Console,
    redis: str | None = None,
    encoder: EncoderProfile | None = None,
) -> Prepared:
    """Import the data, replay it into features, publish the model, write keys and rules.

    redis: host:port of an empty Redis that the features are written to; None: files of `folder`.
    encoder: None: the English one where nearly all titles are English, else the multilingual one.

    Raises DatasetError or PublishingError.
    """
    started_s = time.monotonic()
    console.print(f"preparing {source} (once)", markup=False)
    with waiting(console, "reading the data"):
        dataset, items = read_source(source, datasets, n_items)
        titles = [item.title for item in items.items]
        language = dominant_language(titles)
        encoder = encoder or profile_for(titles)
    console.print(f"language of the titles: {language}; encoder: {encoder}", markup=False)
    if folder.exists():
        shutil.rmtree(folder)  # left over from a set-up that did not finish
    folder.mkdir(parents=True)
    write_secrets(folder)
    for name in ("rules.yaml", "objective.yaml"):
        shutil.copy(_HERE / name, folder / name)
    (folder / PRICES_FILE).write_text(dataset.info.prices.model_dump_json(indent=2) + "\n")
    texts = folder / "item_texts.jsonl"
    write_item_texts(items, texts)
    # Other processes export, quantize and encode the catalogue while this one replays.
    publishing = Publishing(
        folder / "models", bundle_for(source), texts, triton_python,
        folder / "logs/publish.log", encoder, BESIDE,
    )  # fmt: skip
    try:
        pseudonyms = Pseudonyms.from_file(folder / "pseudonym.key")
        seed(
            dataset, items, store_for(folder, redis), pseudonyms, folder / "neighbors.npz", console
        )
        with waiting(console, "waiting for the model to be published"):
            publishing.wait()
    except BaseException:
        publishing.stop()
        raise
    done = Prepared(
        data=source,
        n_items=len(items),
        sample=sample_of(dataset),
        encoder=encoder,
        language=language,
    )
    (folder / "prepared.json").write_text(done.model_dump_json(indent=2))
    console.print(f"prepared in {time.monotonic() - started_s:.0f} s")
    return done


def main() -> int:
    """`python -m serving.local.prepare`: the exit status, 2 with one line that says why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--triton-python", type=Path, required=True)
    parser.add_argument("--redis")
    parser.add_argument("--encoder", type=EncoderProfile, choices=list(EncoderProfile))
    given = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        prepare(
            given.data, given.folder, given.datasets, given.items, given.triton_python, console,
            given.redis, given.encoder,
        )  # fmt: skip
    except (DatasetError, PublishingError) as error:
        console.print(f"cannot serve: {error}", style="bold red", markup=False)
        return 2
    return 0


def profile_for(titles: Sequence[str]) -> EncoderProfile:
    """The encoder that suits a catalogue of these titles."""
    if nearly_all_english(titles):
        return EncoderProfile.ENGLISH
    return EncoderProfile.MULTILINGUAL


def write_secrets(folder: Path) -> None:
    """A development key and the secret of the pseudonyms, readable by the owner only."""
    key = ApiKey(
        name="development",
        sha256=hash_key(DEV_KEY),
        scopes=frozenset(Scope),
        rate_per_s=10_000,
        max_boost=3,
    )
    keys = [key.model_dump(mode="json")]
    for name, content in (
        ("keys.json", json.dumps(keys, indent=2)),
        ("pseudonym.key", secrets.token_hex(32)),
    ):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(content)


def sample_of(dataset: Dataset) -> Sample:
    """A regular shopper, what is popular now, and a query that finds something.

    Of a shop that begins: a new shopper, and the catalogue's first items.
    """
    events, items = dataset.events, dataset.items
    items = items[items["available"]] if items["available"].any() else items
    recent = events[events["item_id"].isin(items["item_id"]) & (events["user_id"] != "")].tail(
        50_000
    )
    popular = recent["item_id"].value_counts()
    first = items["item_id"].head(_SHOWN)
    shown = [*dict.fromkeys([*popular.index[: 5 * _SHOWN : 5], *first])][:_SHOWN]
    users = recent["user_id"].value_counts()
    title = items.loc[items["item_id"] == shown[0], "title"].iloc[0]
    return Sample(
        user_id=str(users.index[0]) if len(users) else "new-shopper",
        item_ids=shown,
        query=query_for(title),
    )


if __name__ == "__main__":
    sys.exit(main())
