"""Triton's entry to the ranker; the work is done in serving/models/runtime/ranking.py."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

FOLDER = Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # the folder is to stay as it was published
sys.path.insert(0, str(FOLDER / "code"))  # this version's own copy, not an installed one

from serving.models.contract import INPUTS  # noqa: E402
from serving.models.runtime.answering import Answering  # noqa: E402
from serving.models.runtime.ranking import VersionRanker  # noqa: E402
from serving.models.runtime.sealed import check_version  # noqa: E402
from serving.models.runtime.text_vectors import encoder_options  # noqa: E402


class TritonPythonModel(Answering):
    """One instance of one version. Loading fails when the folder is not as it was published."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the version. Triton calls it by this name."""
        check_version(FOLDER)
        parameters = json.loads(args["model_config"])["parameters"]
        self._ranker = VersionRanker(FOLDER, **encoder_options(parameters))

    def outputs(self, request: Any) -> dict[str, npt.NDArray[Any]]:
        """Scores, what they are made of, and when the work began and ended: unix nanoseconds."""
        started_ns = time.time_ns()
        inputs = ((t.name, pb_utils.get_input_tensor_by_name(request, t.name)) for t in INPUTS)
        batch = {name: tensor.as_numpy() for name, tensor in inputs if tensor is not None}
        named = json.loads(request.parameters() or "{}").get("feature_names")
        scores, parts, contributions = self._ranker.judge(batch, named)
        times = np.array([started_ns, time.time_ns()], np.int64)
        outputs: dict[str, npt.NDArray[Any]] = {"SCORES": scores, "PARTS": parts, "TIMES": times}
        return outputs if contributions is None else {**outputs, "CONTRIBUTIONS": contributions}
