"""The Feast repository as Feast's own documentation uses it."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from feast import FeatureStore
from feast.cli.cli import cli
from feast.repo_config import RepoConfig
from feast.repo_operations import get_repo_files

from features.behavior.state import BehaviorState
from features.behavior.state_rows import states_to_columns
from features.definitions import USER_VIEW
from features.store.offline import OfflineStore, snapshot_table
from features.store.online import OnlineFeatures

FEATURES = Path(__file__).parents[3] / "features"
DAY_S = 86_400.0


def feast(root: Path, *arguments: str) -> None:
    """The feast command, in the copy of the repository at `root`."""
    # Feast imports torch when it is there, which takes seconds.
    code = "import sys; sys.modules['torch'] = None; from feast.cli.cli import cli; cli()"
    command = [sys.executable, "-c", code, "-c", "features", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own, so that .vitrine is its own too."""
    root = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "datasets")
    shutil.copytree(FEATURES, root / "features", ignore=ignored)
    return root


def test_feast_imports_one_module_of_the_repository() -> None:
    assert [path.name for path in get_repo_files(FEATURES)] == ["repo.py"]


def test_the_yaml_names_no_key_that_feast_does_not_know() -> None:
    keys = yaml.safe_load((FEATURES / "feature_store.yaml").read_text())
    known = {name: field.alias for name, field in RepoConfig.model_fields.items()}
    assert set(keys) <= {*known, *known.values()}


# Feast fills gaps with a pandas call that pandas is about to change.
@pytest.mark.filterwarnings("ignore:Downcasting object dtype arrays:FutureWarning")
def test_apply_and_materialize_bring_snapshots_online(root: Path) -> None:
    feast(root, "apply")
    offline = OfflineStore(root / ".vitrine" / "offline")
    now_s = datetime.now(UTC).timestamp()
    states = [
        BehaviorState(first_s=1.0, last_s=now_s - days * DAY_S, counts={"view": 10 - days})
        for days in (3, 2)
    ]
    columns = states_to_columns(states)
    offline.append(USER_VIEW, snapshot_table(USER_VIEW, ["u1", "u1"], columns, now_s))
    end = datetime.now(UTC).strftime("%FT%T")
    command = ["-c", str(root / "features"), "materialize", "2020-01-01T00:00:00", end]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    online = OnlineFeatures(FeatureStore(repo_path=str(root / "features")))
    assert online.read_users(["u1"]) == {"u1": states[1]}
    online.close()
