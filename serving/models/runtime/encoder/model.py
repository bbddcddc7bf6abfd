"""Triton's entry to the text encoder; the work is done in serving/models/runtime."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy.typing as npt
import triton_python_backend_utils as pb_utils

FOLDER = Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # the folder is to stay as it was published
sys.path.insert(0, str(FOLDER / "code"))  # this version's own copy, not an installed one

from serving.models.packing import BatchError  # noqa: E402
from serving.models.runtime.answering import Answering  # noqa: E402
from serving.models.runtime.sealed import check_version  # noqa: E402
from serving.models.runtime.text_vectors import (  # noqa: E402
    encoder_options,
    open_texts,
    row_keys,
)


class TritonPythonModel(Answering):
    """One instance of one version. Loading fails when the folder is not as it was published."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the version. Triton calls it by this name."""
        manifest = check_version(FOLDER)
        parameters = json.loads(args["model_config"])["parameters"]
        self._profile = manifest.get("profile", "english")
        self._texts = open_texts(FOLDER, manifest["max_tokens"], **encoder_options(parameters))

    def outputs(self, request: Any) -> dict[str, npt.NDArray[Any]]:
        """The vectors; raises BatchError for tokens that are another profile's."""
        asked = json.loads(request.parameters() or "{}").get("profile", self._profile)
        if asked != self._profile:
            raise BatchError(f"the tokens are of the profile {asked}, this is {self._profile}")
        tokens = pb_utils.get_input_tensor_by_name(request, "TOKENS").as_numpy()
        return {"VECTORS": self._texts.vectors(row_keys(tokens), tokens)}
