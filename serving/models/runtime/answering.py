"""How a model answers Triton: one request after the other, each with an error of its own.

A published version carries a copy. Importable inside Triton only.
"""

import time
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from serving.models.packing import BatchError

# Whether a caller has gone is asked of the server, which takes half a millisecond: only behind a
# call that took so long that somebody may have.
LONG_S = 0.02


class Answering(ABC):
    """A model of which only `outputs` differs."""

    _last_s = 0.0

    @abstractmethod
    def outputs(self, request: Any) -> dict[str, npt.NDArray[Any]]:
        """The tensors of an answer by name; raises BatchError for a request that cannot be one."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """One answer for each request. Triton calls it by this name."""
        return [self._answer_in_time(request) for request in requests]

    def _answer_in_time(self, request: Any) -> Any:
        if self._last_s > LONG_S and request.is_cancelled():  # its deadline passed while it waited
            return _error("nobody waits for this", pb_utils.TritonError.CANCELLED)
        started_s = time.perf_counter()
        answer = self._answer(request)
        self._last_s = time.perf_counter() - started_s
        return answer

    def _answer(self, request: Any) -> Any:
        try:
            outputs = self.outputs(request)
        except BatchError as error:
            return _error(str(error), pb_utils.TritonError.INVALID_ARG)
        except Exception as error:  # one bad batch must not end the process of the others
            return _error(repr(error), pb_utils.TritonError.INTERNAL)
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, np.ascontiguousarray(values))
                for name, values in outputs.items()
            ]
        )


def _error(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
