"""A version's configuration for the model server, derived from the contract of its tensors."""

from collections.abc import Mapping

from serving.models.contract import MODELS, Limits, Tensor
from serving.training.publish.execution import CPU, GPU

# Vectors of texts that a model keeps, 768 bytes each; no pair of a cross-encoder comes twice.
_MEMORY = {"ranker": 200_000, "encoder": 20_000, "cross_encoder": 0, "pictures": 0}
_GPU_MEMORY = {"ranker": 200_000, "encoder": 200_000, "cross_encoder": 0, "pictures": 0}
_TYPES = {"uint8": "UINT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "float32": "FP32"}


def memory_of(model: str, precision: str) -> int:
    """How many vectors of texts a version of `model` keeps."""
    return (_GPU_MEMORY if precision == "float16" else _MEMORY)[model]


def configuration(
    model: str,
    precision: str,
    threads: int,
    limits: Limits | None,
    profile: str | None = None,
    told: Mapping[str, str] | None = None,
) -> str:
    """config.pbtxt of a version, without a version policy.

    threads: texts encoded at a time, on a CPU; limits: of the ranker, what it reads of a request;
    profile: of the encoder; told: what it says of itself (serving/models/columns/about.py).
    """
    on_gpu = precision == "float16"
    where = GPU if on_gpu else CPU
    inputs, outputs = MODELS[model]
    parameters = {
        "threads": 1 if on_gpu else threads,
        "memory": memory_of(model, precision),
        "providers": ",".join(where.providers),
        "batch": where.batch,
        **(limits.as_dict() if limits else {}),
        **({"profile": profile} if profile else {}),
        **(told or {}),
    }
    # Batches are formed in front of the model server (serving/models/batcher.py): a second batcher
    # would only add a wait.
    lines = [
        f'name: "{model}"',
        'backend: "python"',
        "max_batch_size: 0",
        _tensors("input", inputs),
        _tensors("output", outputs),
        f"instance_group [ {{ count: 1 kind: {'KIND_GPU' if on_gpu else 'KIND_CPU'} }} ]",
    ]
    lines += [
        f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}'
        for name, value in parameters.items()
    ]
    return "\n".join(lines) + "\n"


def _tensors(kind: str, tensors: tuple[Tensor, ...]) -> str:
    entries = [
        f'  {{ name: "{tensor.name}" data_type: TYPE_{_TYPES[tensor.dtype]} '
        f"dims: [ {', '.join(map(str, tensor.dims))} ]"
        f"{'' if tensor.default is None else ' optional: true'} }}"
        for tensor in tensors
    ]
    return f"{kind} [\n" + ",\n".join(entries) + "\n]"
