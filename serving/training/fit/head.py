"""Fits the head on fixed columns by a listwise loss over slates, and translates it to ONNX."""

from dataclasses import dataclass

import numpy as np
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from rich.progress import Progress
from torch import Tensor

from features.arrays import FloatArray, RowArray
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.data.slates import with_gain
from serving.training.fit.network import CLIP, Head


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """The head's size, and how it is fitted."""

    units: tuple[int, int] = (64, 32)  # of its two hidden layers
    epochs: int = 12
    slates: int = 64  # in a batch
    learning_rate: float = 2e-3
    decay: float = 1e-3
    dropout: float = 0.1


def listwise_loss(scores: Tensor, gains: Tensor, slate_of: Tensor, n_slates: int) -> Tensor:
    """Mean over slates of the cross entropy between shares of the gains and softmax of the scores.

    ListNet with top-one probabilities (Cao et al., 2007). scores, gains, slate_of: (R,).
    """
    top = scores.new_full((n_slates,), -torch.inf).scatter_reduce(0, slate_of, scores, "amax")
    shifted = scores - top.detach()[slate_of]
    total = scores.new_zeros(n_slates).index_add(0, slate_of, shifted.exp())
    mass = gains.new_zeros(n_slates).index_add(0, slate_of, gains)
    share = gains / mass.clamp_min(1e-9)[slate_of]
    return (share * (total.log()[slate_of] - shifted)).sum() / max(n_slates, 1)


def fit_head(
    head: Head,
    features: FloatArray,
    gains: FloatArray,
    offsets: RowArray,
    seed: int,
    options: HeadOptions | None = None,
    progress: Progress | None = None,
) -> None:
    """Fit `head` in place on features (R, n) and gains (R,); slates without gain are left out."""
    options = options or HeadOptions()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    head.measure(features)
    head.train()
    useful = with_gain(gains, offsets)
    values, targets = torch.from_numpy(features), torch.from_numpy(gains)
    n_batches = max(len(useful) // options.slates, 1)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=options.learning_rate, weight_decay=options.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.epochs * n_batches
    )
    task = progress.add_task("head", total=options.epochs) if progress else None
    for _ in range(options.epochs):
        for batch in np.array_split(rng.permutation(useful), n_batches):
            rows, slate_of = rows_of(offsets, batch)
            scores = head(values[rows], options.dropout)
            loss = listwise_loss(scores, targets[rows], torch.from_numpy(slate_of), len(batch))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if progress is not None and task is not None:
            progress.advance(task)
    head.eval()


def rows_of(offsets: RowArray, slates: RowArray) -> tuple[RowArray, RowArray]:
    """Rows of the candidates of `slates`, and for each its slate's place among them."""
    sizes = np.diff(offsets)[slates]
    ends = np.cumsum(sizes)
    rows = np.arange(int(ends[-1])) + np.repeat(offsets[slates] - (ends - sizes), sizes)
    return rows, np.repeat(np.arange(len(slates)), sizes)


@torch.inference_mode()
def head_scores(head: Head, features: FloatArray) -> FloatArray:
    """Scores (R,) of features (R, n)."""
    scores: FloatArray = head(torch.from_numpy(features)).numpy()
    return scores


def head_onnx(head: Head) -> bytes:
    """The head as ONNX: `features` float32 (R, n) with NaN in, `score` float32 (R, 1) out."""
    state = {name: value.detach().numpy() for name, value in head.state_dict().items()}
    width = len(state["mean"])
    match = np.zeros((width, 1), np.float32)
    match[-len(TEXT_FEATURES) :, 0] = state["match"]
    constants = {
        "mean": state["mean"], "std": state["std"], "match": match,
        "zero": np.float32(0), "low": np.float32(-CLIP), "high": np.float32(CLIP),
        **{f"{layer}.{part}": state[f"{layer}.{part}"]
           for layer in ("first", "second", "last") for part in ("weight", "bias")},
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("IsNaN", ["features"], ["unknown"]),
        node("Sub", ["features", "mean"], ["centred"]),
        node("Div", ["centred", "std"], ["divided"]),
        node("Where", ["unknown", "zero", "divided"], ["known"]),
        node("Clip", ["known", "low", "high"], ["scaled"]),
        node("Cast", ["unknown"], ["mask"], to=TensorProto.FLOAT),
        node("Concat", ["scaled", "mask"], ["states"], axis=1),
        node("Gemm", ["states", "first.weight", "first.bias"], ["first"], transB=1),
        node("Relu", ["first"], ["first_on"]),
        node("Gemm", ["first_on", "second.weight", "second.bias"], ["second"], transB=1),
        node("Relu", ["second"], ["second_on"]),
        node("Gemm", ["second_on", "last.weight", "last.bias"], ["learned"], transB=1),
        node("MatMul", ["scaled", "match"], ["matched"]),
        node("Add", ["learned", "matched"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    model: ModelProto = helper.make_model(graph, opset_imports=opset, ir_version=9)
    return bytes(model.SerializeToString())
