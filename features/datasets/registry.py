"""One door to every data set: a name, a file or a folder in, a checked `Dataset` out."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from features.datasets.esci import JUDGMENTS_FILE, import_esci
from features.datasets.feeds.files import has_feeds, read_feeds
from features.datasets.format import Dataset, DatasetError, read_dataset, write_dataset
from features.datasets.grocery.importer import import_grocery
from features.datasets.online_retail import EVENTS_FILE, import_online_retail
from features.datasets.simulated.simulation import simulate, write_simulation

# Part of a cache folder's name: raised when an importer changes what it writes.
IMPORT_VERSION = 2
SIMULATED_ITEMS = 2_000


def load(source: str, cache_folder: Path, n_items: int = 10_000) -> Dataset:
    """The data set that `source` names, with times as they were logged (see `shift_to_now`).

    `source`: "grocery", "simulated", the folder of UCI Online Retail or of ESCI (told by their file
    names), or what a shop has, which is read where it lies: a folder in our format, a feed or an
    event export of another system, or a folder of those. `n_items` caps the catalogues that are cut
    or drawn: the most bought grocery products, at most 2,000 simulated items. What is imported is
    kept under `cache_folder` in our format and read from there the next time; the simulation's
    truth lies beside its tables (`dataset.folder`). Raises DatasetError, one line.
    """
    if n_items < 1:
        raise DatasetError(f"{source}: n_items must be at least 1, not {n_items}")
    if source == "grocery":
        return _cached(
            cache_folder,
            f"grocery-{n_items}",
            lambda folder: write_dataset(import_grocery(n_items), folder),
        )
    if source == "simulated":
        size = min(n_items, SIMULATED_ITEMS)
        return _cached(
            cache_folder,
            f"simulated-{size}",
            lambda folder: write_simulation(simulate(n_items=size), folder),
        )
    given = Path(source)
    if given.is_file():
        return read_feeds(given)
    if not given.is_dir():
        raise DatasetError(f'{source}: no such file or folder, and not "grocery" or "simulated"')
    if (given / EVENTS_FILE).is_file():
        return _cached(
            cache_folder,
            _stamped("online_retail", given / EVENTS_FILE),
            lambda folder: write_dataset(import_online_retail(given), folder),
        )
    if (given / JUDGMENTS_FILE).is_file():
        return _cached(
            cache_folder,
            _stamped("esci150", given / JUDGMENTS_FILE),
            lambda folder: write_dataset(import_esci(given), folder),
        )
    return read_feeds(given) if has_feeds(given) else read_dataset(given)


def _stamped(name: str, path: Path) -> str:
    # Another copy of the source, or a corrected one, must not be answered from the old import.
    facts = path.stat()
    return f"{name}-{facts.st_size}-{int(facts.st_mtime)}"


def _cached(cache_folder: Path, name: str, write: Callable[[Path], None]) -> Dataset:
    """Read `name` from the cache, importing it first if it is not there.

    Written beside and renamed, so that a killed import leaves nothing that looks finished.
    """
    folder = cache_folder / f"{name}-v{IMPORT_VERSION}"
    if not folder.is_dir():
        cache_folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache_folder))
        try:
            write(unfinished)
            unfinished.chmod(0o755)  # mkdtemp's own mode would shut other users out
            unfinished.rename(folder)
        except OSError:
            # Another process may have finished the same import first: then theirs is as good.
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return read_dataset(folder)
