"""Triton's entry to the plain cross-encoder; the work is done in serving/models/runtime."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy.typing as npt
import triton_python_backend_utils as pb_utils

FOLDER = Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # the folder is to stay as it was published
sys.path.insert(0, str(FOLDER / "code"))  # this version's own copy, not an installed one

from serving.models.runtime.answering import Answering  # noqa: E402
from serving.models.runtime.pairs import PairScorer  # noqa: E402
from serving.models.runtime.sealed import check_version  # noqa: E402
from serving.models.runtime.text_vectors import encoder_options  # noqa: E402


class TritonPythonModel(Answering):
    """One instance of one version. Loading fails when the folder is not as it was published."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the version. Triton calls it by this name."""
        manifest = check_version(FOLDER)
        parameters = json.loads(args["model_config"])["parameters"]
        options = dict(encoder_options(parameters))
        del options["memory"]  # no pair comes twice
        self._pairs = PairScorer(FOLDER, manifest["max_tokens"], **options)

    def outputs(self, request: Any) -> dict[str, npt.NDArray[Any]]:
        """The scores."""
        tokens = pb_utils.get_input_tensor_by_name(request, "TOKENS").as_numpy()
        return {"SCORES": self._pairs.scores(tokens)}
