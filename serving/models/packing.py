"""Requests as one batch of tensors, and whether a batch is one; derived from the contract.

A published version carries a copy of this module: it needs NumPy only.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from serving.models.contract import ANY, COUNTS, INPUTS, Array, Rows, Tensor, Tensors


class BatchError(ValueError):
    """A batch that a version cannot take; the message says which tensor is wrong."""


def pack(requests: Sequence[Tensors]) -> dict[str, Array]:
    """Requests as one batch: each tensor's rows one behind the other, token rows padded."""
    return {
        tensor.name: _stack([request[tensor.name] for request in requests], tensor)
        for tensor in INPUTS
    }


def checked(batch: Tensors, n_features: int) -> Tensors:
    """The batch with the defaults of the inputs that it came without.

    Raises BatchError unless the tensors fit each other and a version's columns.
    """
    missing = [t.name for t in INPUTS if t.default is None and t.name not in batch]
    if missing:
        raise BatchError(f"{', '.join(missing)} missing")
    if batch["FEATURES"].shape[1] != n_features:
        raise BatchError(
            f"FEATURES has {batch['FEATURES'].shape[1]} columns; this version takes {n_features}"
        )
    _check_counts(batch)
    rows = _n_rows(batch)
    batch = {**_defaults(batch, rows), **batch}
    for tensor in INPUTS:
        n_rows, shape = rows[tensor.rows], batch[tensor.name].shape
        if shape[0] != n_rows:
            names = " + ".join(COUNTS.get(tensor.rows, ("QUERY_TOKENS",)))
            raise BatchError(f"{tensor.name} has {shape[0]} rows, but {names} add up to {n_rows}")
        if tensor.columns not in (None, ANY) and shape[1:] != (tensor.columns,):
            raise BatchError(
                f"{tensor.name} has the shape {shape}; a row has {tensor.columns} numbers"
            )
    return batch


def _check_counts(batch: Tensors) -> None:
    n_requests = len(batch["QUERY_TOKENS"])
    for name in dict.fromkeys(name for names in COUNTS.values() for name in names):
        counts = batch[name]
        if len(counts) != n_requests or (counts < 0).any():
            raise BatchError(
                f"{name} must be {n_requests} numbers from 0, one for each row of QUERY_TOKENS"
            )


def _defaults(batch: Tensors, rows: Mapping[Rows, int]) -> dict[str, Array]:
    return {
        tensor.name: np.full(rows[tensor.rows], tensor.default, tensor.dtype)
        for tensor in INPUTS
        if tensor.default is not None and tensor.name not in batch
    }


def _n_rows(batch: Tensors) -> dict[Rows, int]:
    """How many rows the inputs of each kind must have."""
    counted = {
        rows: sum(sum(batch[name].tolist()) for name in names) for rows, names in COUNTS.items()
    }
    return {Rows.REQUEST: len(batch["QUERY_TOKENS"]), **counted}


def _stack(parts: Sequence[Array], tensor: Tensor) -> Array:
    if tensor.columns is None or tensor.dtype == "float32":
        return np.concatenate(parts).astype(tensor.dtype, copy=False)
    out = np.zeros((sum(map(len, parts)), max(part.shape[1] for part in parts)), tensor.dtype)
    start = 0
    for part in parts:
        out[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    # Texts are shorter than the tables they come in, and padding costs its way to the model server.
    # That takes no rows of nothing: at least one column.
    used = np.flatnonzero(out.max(axis=0, initial=0))
    return out[:, : used[-1] + 1] if len(used) else np.zeros((len(out), 1), tensor.dtype)
