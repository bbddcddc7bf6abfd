"""Triton's entry to the text encoder; the work is done in serving/model_repository."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

FOLDER = Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # the folder is to stay as it was published
sys.path.insert(0, str(FOLDER / "code"))  # this version's own copy, not an installed one

from serving.model_repository.text_vectors import (  # noqa: E402
    check_version,
    encoder_options,
    open_texts,
    row_keys,
)

# Whether a caller has gone is asked of the server, which takes half a millisecond: only behind a
# call that took so long that somebody may have.
LONG_S = 0.02


class TritonPythonModel:
    """One instance of one version. Loading fails when the folder is not as it was published."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the version. Triton calls it by this name."""
        manifest = check_version(FOLDER)
        self._last_s = 0.0
        parameters = json.loads(args["model_config"])["parameters"]
        self._texts = open_texts(FOLDER, manifest["max_tokens"], **encoder_options(parameters))

    def execute(self, requests: list[Any]) -> list[Any]:
        """One answer for each request. Triton calls it by this name."""
        return [self._answer_in_time(request) for request in requests]

    def _answer_in_time(self, request: Any) -> Any:
        if self._last_s > LONG_S and request.is_cancelled():  # its deadline passed while it waited
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError("nobody waits for this", pb_utils.TritonError.CANCELLED)
            )
        started_s = time.perf_counter()
        answer = self._answer(request)
        self._last_s = time.perf_counter() - started_s
        return answer

    def _answer(self, request: Any) -> Any:
        tokens = pb_utils.get_input_tensor_by_name(request, "TOKENS").as_numpy()
        try:
            vectors = self._texts.vectors(row_keys(tokens), tokens)
        except Exception as error:  # one bad batch must not end the process of the others
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(repr(error)))
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor("VECTORS", np.ascontiguousarray(vectors))]
        )
