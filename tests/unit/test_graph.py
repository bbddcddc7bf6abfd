"""Which deployments an application has."""

import shutil
from pathlib import Path

import pytest
from ray.serve._private.build_app import build_app as built

from serving.app import build_app
from serving.local import prepare
from serving.local.state_folder import settings_for
from serving.ranking.settings import PipelineSettings


@pytest.mark.parametrize(("place", "deployments"), [
    ("ingress", {"Ranker", "Ingress"}),
    ("deployment", {"Ranker", "Ingress", "ColdStart"}),
])  # fmt: skip
def test_cold_start_is_deployed_where_it_is_asked(
    place: str, deployments: set[str], tmp_path: Path
) -> None:
    shutil.copy(Path(prepare.__file__).with_name("rules.yaml"), tmp_path)
    usual = settings_for(tmp_path, tmp_path / "tokenizer.json", 1, None)
    pipeline = PipelineSettings.model_validate({"cold_start": place})
    settings = usual.model_copy(update={"pipeline": pipeline})
    application = built(build_app(settings), name="vitrine", default_runtime_env={})
    assert {each.name for each in application.deployments} == deployments
