"""Which deployments an application has."""

import shutil
from pathlib import Path

import pytest
from ray.serve._private.build_app import build_app as built

from serving.app import build_app
from serving.local import prepare
from serving.local.state_folder import settings_for
from serving.ranking.settings import PipelineSettings


@pytest.mark.parametrize(("asked", "deployments"), [
    ({}, {"Ranker", "Ingress"}),
    ({"cold_start": "deployment"}, {"Ranker", "Ingress", "ColdStart"}),
    ({"ranker": "ingress"}, {"Ingress"}),
])  # fmt: skip
def test_ranker_and_cold_start_are_deployed_where_they_are_asked(
    asked: dict[str, str], deployments: set[str], tmp_path: Path
) -> None:
    assert deployed(tmp_path, pipeline=PipelineSettings.model_validate(asked)) == deployments


def test_on_one_machine_there_is_a_ranker_when_there_are_several_to_batch_for(
    tmp_path: Path,
) -> None:
    assert deployed(tmp_path, replicas=1) == {"Ingress"}
    assert deployed(tmp_path, replicas=2) == {"Ranker", "Ingress"}


def deployed(folder: Path, pipeline: PipelineSettings | None = None, replicas: int = 1) -> set[str]:
    """Names of the deployments of the local stack; pipeline: instead of its own."""
    shutil.copy(Path(prepare.__file__).with_name("rules.yaml"), folder)
    settings = settings_for(folder, folder / "tokenizer.json", 1, None, replicas=replicas)
    if pipeline is not None:
        settings = settings.model_copy(update={"pipeline": pipeline})
    application = built(build_app(settings), name="vitrine", default_runtime_env={})
    return {each.name for each in application.deployments}
