"""Triton's entry to the encoder of pictures; the work is done in serving/models/runtime."""

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
from serving.models.runtime.picture_vectors import PictureEncoder  # noqa: E402
from serving.models.runtime.sealed import check_version  # noqa: E402
from serving.models.runtime.text_vectors import encoder_options  # noqa: E402


class TritonPythonModel(Answering):
    """One instance of one version. Loading fails when the folder is not as it was published."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the version. Triton calls it by this name."""
        self._encoder_name = check_version(FOLDER)["encoder"]
        options = encoder_options(json.loads(args["model_config"])["parameters"])
        path = FOLDER / "picture_encoder.onnx"
        self._encoder = PictureEncoder(path, options["threads"], options["providers"])

    def outputs(self, request: Any) -> dict[str, npt.NDArray[Any]]:
        """The vectors; raises BatchError where those of another encoder are asked for."""
        asked = json.loads(request.parameters() or "{}").get("encoder", self._encoder_name)
        if asked != self._encoder_name:
            raise BatchError(f"vectors of {asked} are asked for, this is {self._encoder_name}")
        pixels = pb_utils.get_input_tensor_by_name(request, "PIXELS").as_numpy()
        return {"VECTORS": self._encoder.encode(pixels)}
