"""Where a text tower runs on this machine: on the CPU, or float16 on a GPU."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Execution:
    """ONNX Runtime's providers, and how many texts of equal length run at a time."""

    providers: tuple[str, ...]
    batch: int


CPU = Execution(("CPUExecutionProvider",), 1)
# Float32 weights do not fit a core's cache: texts that run together share the reading of them.
FLOAT32 = Execution(CPU.providers, 16)
GPU = Execution(("CUDAExecutionProvider",), 256)


def execution_of(precision: str) -> Execution | None:
    """How a tower of this precision runs on this machine; None where it cannot run."""
    if precision != "float16":
        return CPU
    # Here: whoever starts a model server reads of configurations, and has no ONNX Runtime.
    import onnxruntime

    has_gpu = Path("/dev/nvidiactl").exists()
    return GPU if has_gpu and GPU.providers[0] in onnxruntime.get_available_providers() else None
