"""The text tower in PyTorch: the operations of serving/training/publish/encoder_onnx.py.

It is built from the constants of the published graphs, so float32 is the published float32 and int8
multiplies the published integers. A float precision is that of weights, states and products; the
mean over tokens and the vectors are float32.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Constants = Mapping[str, npt.NDArray[Any]]

PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int8": torch.float32,  # of what lies between the integer products
}
N_HEADS = 12
BATCH = 256  # texts of one length in a run, as serving/training/publish/execution.py has it
_EPSILON = 1e-12
_MIDDLE = 128  # from uint8 to int8
_MIN_ROWS = 32  # cuBLAS multiplies no fewer rows of integers


class Linear(nn.Module):
    """x @ weight + bias; weight (in, out)."""

    def __init__(self, constants: Constants, layer: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(constants[f"{layer}.w"]).to(dtype))
        self.register_buffer("bias", torch.tensor(constants[f"{layer}.b"]).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        weight, bias = self.get_buffer("weight"), self.get_buffer("bias")
        return torch.addmm(bias, x.flatten(0, -2), weight).reshape(*x.shape[:-1], -1)


class Int8Linear(nn.Module):
    """uint8 x int8 products with a fixed input range: quantize.Int8Graph.linear.

    PyTorch multiplies signed integers alone, so 128 is taken from the inputs and its share of the
    product added again: the sums are the same integers.
    """

    def __init__(self, constants: Constants, layer: str) -> None:
        super().__init__()
        weight = constants[f"{layer}.w"]
        zero, step = (constants[f"{layer}.{name}"].item() for name in ("x_zero", "x_step"))
        self.step, self.zero = step, zero
        added = (_MIDDLE - zero) * weight.astype(np.int32).sum(axis=0, dtype=np.int32)
        # Column-major, as cuBLAS wants it.
        self.register_buffer("weight", torch.tensor(weight.T.copy()).T)
        self.register_buffer("added", torch.tensor(added))
        self.register_buffer("steps", torch.tensor(constants[f"{layer}.w_step"] * np.float32(step)))
        self.register_buffer("bias", torch.tensor(constants[f"{layer}.b"]))
        width = len(weight)
        shift = constants.get(f"{layer}.shift", np.zeros(width, np.float32))
        self.register_buffer("shift", torch.tensor(shift))
        scale = constants.get(f"{layer}.scale", np.ones(width, np.float32))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out), float32."""
        rows = (x.flatten(0, -2) - self.get_buffer("shift")) * self.get_buffer("scale")
        quantized = (torch.round(rows / self.step) + self.zero).clamp(0, 255) - _MIDDLE
        integers = nn.functional.pad(
            quantized.to(torch.int8), (0, 0, 0, max(0, _MIN_ROWS - len(rows)))
        )
        product = torch._int_mm(integers, self.get_buffer("weight"))[: len(rows)]
        scaled = (product + self.get_buffer("added")) * self.get_buffer("steps")
        return (scaled + self.get_buffer("bias")).reshape(*x.shape[:-1], -1)


class Norm(nn.Module):
    """Layer normalization."""

    def __init__(self, scale: Any, bias: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale).to(dtype))
        self.register_buffer("bias", torch.tensor(bias).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(..., n) to the same."""
        scale, bias = self.get_buffer("scale"), self.get_buffer("bias")
        return nn.functional.layer_norm(x, x.shape[-1:], scale, bias, _EPSILON)


class Block(nn.Module):
    """Attention and the two dense layers behind it."""

    def __init__(self, constants: Constants, block: str, precision: str) -> None:
        super().__init__()
        dtype = PRECISIONS[precision]

        def linear(name: str) -> nn.Module:
            layer = f"{block}.{name}"
            return (
                Int8Linear(constants, layer)
                if precision == "int8"
                else Linear(constants, layer, dtype)
            )

        def norm(name: str) -> Norm:
            return Norm(constants[f"{block}.{name}.0"], constants[f"{block}.{name}.1"], dtype)

        self.joined = linear("attention.self")
        self.attended = linear("attention.output")
        self.attended_norm = norm("attention.output")
        self.wide = linear("intermediate")
        self.narrow = linear("output")
        self.narrow_norm = norm("output")

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """States (n, length, size); mask (n, 1, 1, length), False: no token."""
        heads = self.joined(x).unflatten(-1, (3, N_HEADS, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        states = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = self.attended_norm(self.attended(states.transpose(1, 2).flatten(2)) + x)
        wide = nn.functional.gelu(self.wide(x))
        out: Tensor = self.narrow_norm(self.narrow(wide) + x)
        return out


class Tower(nn.Module):
    """Token ids to unit vectors."""

    def __init__(self, constants: Constants, precision: str) -> None:
        super().__init__()
        dtype = PRECISIONS[precision]
        self.register_buffer("words", torch.tensor(constants["words"]).to(dtype))
        self.register_buffer("positions", torch.tensor(constants["positions"]).to(dtype))
        self.norm = Norm(constants["embeddings.scale"], constants["embeddings.bias"], dtype)
        n_blocks = sum(name.endswith("attention.self.w") for name in constants)
        self.blocks = nn.ModuleList(
            Block(constants, f"encoder.layer.{index}", precision) for index in range(n_blocks)
        )

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Vectors float32 (n, size) of int64 `tokens` (n, length).

        mask: bool (n, length), False where a shorter text is padded; None: all of one length.
        """
        words, positions = self.get_buffer("words"), self.get_buffer("positions")
        x = self.norm(words[tokens] + positions[: tokens.shape[1]])
        wide = None if mask is None else mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, wide)
        states = x.float()
        if mask is None:
            mean = states.mean(1)
        else:
            there = mask[:, :, None].float()
            mean = (states * there).sum(1) / there.sum(1)
        return nn.functional.normalize(mean, dim=1)


@torch.inference_mode()
def encode(
    tower: nn.Module, tokens: npt.NDArray[Any], device: torch.device
) -> npt.NDArray[np.float32]:
    """Vectors float32 (n, size) of texts (n, width) that have tokens, by length as serving does."""
    lengths = np.count_nonzero(tokens, axis=1)
    parts, order = [], []
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        for at in range(0, len(rows), BATCH):
            chosen = rows[at : at + BATCH]
            ids = torch.from_numpy(tokens[chosen, :length].astype(np.int64))
            parts.append(tower(ids.to(device)).float().cpu().numpy())
            order.append(chosen)
    out: npt.NDArray[np.float32] = np.concatenate(parts)[np.argsort(np.concatenate(order))]
    return out


@torch.inference_mode()
def encode_padded(
    tower: nn.Module, tokens: npt.NDArray[Any], device: torch.device
) -> npt.NDArray[np.float32]:
    """The same in runs of all lengths together, with a mask."""
    parts = []
    for at in range(0, len(tokens), BATCH):
        ids = torch.from_numpy(tokens[at : at + BATCH].astype(np.int64)).to(device)
        parts.append(tower(ids, ids != 0).float().cpu().numpy())
    out: npt.NDArray[np.float32] = np.concatenate(parts)
    return out
