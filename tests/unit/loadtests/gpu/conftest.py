"""The check of a GPU, packed from the demonstration's bundle with one held-out slate."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from loadtests.gpu.check.model.carried import Carried, read
from loadtests.gpu.packing import pack
from serving.local.models import GROCERY_BUNDLE


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(GROCERY_BUNDLE, tmp_path_factory.mktemp("gpu") / "bundle"))
    with np.load(GROCERY_BUNDLE / "held_out.npz") as stored:
        slates = {name: stored[name] for name in stored.files}
    n_bought = int(slates["BOUGHT_COUNTS"][0])
    n_history = n_bought + int(
        slates["USER_HISTORY_COUNTS"][0] + slates["SESSION_HISTORY_COUNTS"][0]
    )
    rows = {"HISTORY_KEYS": n_history, "HISTORY_TOKENS": n_history, "PURCHASES": n_bought}
    rows |= {name: 1 for name in slates if name.endswith("COUNTS") or name == "QUERY_TOKENS"}
    n_rows = int(slates["ROW_COUNTS"][0])
    first = {name: values[: rows.get(name, n_rows)] for name, values in slates.items()}
    np.savez(folder / "held_out.npz", **first)
    return folder


@pytest.fixture(scope="session")
def packed(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu") / "gpu-check"
    pack(bundle, folder)
    return folder


@pytest.fixture(scope="session")
def carried(packed: Path) -> Carried:
    return read(packed)
