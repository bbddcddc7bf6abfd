"""A version of the ranker that scores nothing: what is left is the platform's share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.training.publish.repository import put_in_use, repository_lock, rollback, staging

MODEL = "ranker"
_CODE = """\
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        now_ns = time.time_ns()
        n = len(pb_utils.get_input_tensor_by_name(request, "ITEM_KEYS").as_numpy())
        values = {
            "SCORES": np.zeros(n, np.float32),
            "PARTS": np.full((n, 4), np.nan, np.float32),
            "TIMES": np.array([now_ns, time.time_ns()], np.int64),
        }
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, value) for name, value in values.items()]
        )
"""


@contextmanager
def constant_scores(repository: Path, triton_url: str) -> Iterator[None]:
    """The running stack ranks by constant scores while the block runs."""
    with repository_lock(repository), staging(repository, MODEL) as folder:
        (folder / "model.py").write_text(_CODE)
        put_in_use(repository, MODEL, folder, {"precision": "int8"}, 2, [triton_url])
    try:
        yield
    finally:
        with repository_lock(repository):
            rollback(repository, MODEL, [triton_url])
