"""Fits the multilingual encoder's adapter (docs/adr/0020) on names of the same thing in languages.

    python -m serving.training.fit.search.encoder_adapter --names N --titles T --out A.npz

names: Parquet, one row a thing, one column a language, `en` among them; of a path "a > b" the last
level counts. titles: JSON lines of strings, ordinary product titles whose similarities are to stay.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import torch
from onnx import TensorProto, helper
from torch.nn.functional import cross_entropy, dropout, normalize

from features.arrays import FloatArray
from serving.models.contract import VECTOR_SIZE
from serving.models.sentencepiece import read_sentencepiece
from serving.training.publish.encoder_onnx import open_session
from serving.training.publish.multilingual.network import build
from serving.training.publish.multilingual.weights import Adapter, package_folder, read_weights

_TEMPERATURE = 0.03
_RATE = 1e-3
_BATCH = 768
_N_TITLES = 192  # of a step
_KEEP = 10.0  # weight of the titles' squared change of similarity
_DROPOUT = 0.1
_SIZE = 512  # of the package's vector; what comes behind it are features


def fit(names: FloatArray, titles: FloatArray, steps: int, english: int, seed: int = 0) -> Adapter:
    """names (languages, things, 512 + 1280), titles (n, 512 + 1280); english: which is."""
    random = torch.Generator().manual_seed(seed)
    everything = np.concatenate([names.reshape(-1, names.shape[2]), titles])
    own, features = everything[:, :_SIZE], everything[:, _SIZE:]
    start = np.linalg.eigh(own.T @ own)[1][:, ::-1][:, :VECTOR_SIZE]
    center, scale = features.mean(axis=0), features.std() * np.sqrt(features.shape[1])
    vector = torch.tensor(start.copy(), dtype=torch.float32, requires_grad=True)
    by_features = torch.zeros(features.shape[1], VECTOR_SIZE, requires_grad=True)
    bias = torch.zeros(VECTOR_SIZE, requires_grad=True)
    optimizer = torch.optim.Adam([vector, by_features, bias], lr=_RATE)

    def scaled(x: FloatArray) -> torch.Tensor:
        part = (x[..., _SIZE:] - center) / scale
        return torch.tensor(np.concatenate([x[..., :_SIZE], part], axis=-1), dtype=torch.float32)

    def adapted(x: torch.Tensor, share: float = 0.0) -> torch.Tensor:
        found = dropout(x[:, _SIZE:], share) @ by_features
        return normalize(x[:, :_SIZE] @ vector + found + bias, dim=1)

    things, ordinary = scaled(names), scaled(titles)
    before = normalize(ordinary[:, :_SIZE] @ vector.detach(), dim=1)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - step / steps)
        rows = torch.randperm(things.shape[1], generator=random)[:_BATCH]
        first, second = torch.randperm(len(things), generator=random)[:2].tolist()
        if step % 2 and second != english:
            first = english
        one, other = (adapted(things[i][rows], _DROPOUT) for i in (first, second))
        match = one @ other.T / _TEMPERATURE
        same = torch.arange(len(rows))
        loss = (cross_entropy(match, same) + cross_entropy(match.T, same)) / 2
        some = torch.randint(len(ordinary), (_N_TITLES,), generator=random)
        now = adapted(ordinary[some])
        loss = loss + _KEEP * ((now @ now.T - before[some] @ before[some].T) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    to_features = by_features.detach().numpy() / scale
    shift = bias.detach().numpy() - center @ to_features
    return Adapter(vector.detach().numpy(), to_features, shift)


def read_states(texts: list[str]) -> FloatArray:
    """What the adapter reads of each text, (n, 512 + 1280)."""
    weights, folder = read_weights(package_folder()), package_folder()
    nothing = Adapter(*(np.zeros(shape, np.float32) for shape in ((_SIZE, 1), (1280, 1), (1,))))
    model = onnx.load_from_string(build(weights, nothing))
    taps = ["unit", "features_mean"]
    for name in taps:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_session(model.SerializeToString())
    encodings = read_sentencepiece(folder / "sp.model").encode_batch(texts)
    rows = [session.run(taps, {"tokens": np.array([e.ids], np.int32)}) for e in encodings]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--names", type=Path, required=True)
    parser.add_argument("--titles", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--languages", default="en,de,fr,es,it,nl,pl,pt,ru,sv,tr,cs,ja,zh")
    parser.add_argument("--steps", type=int, default=250)
    given = parser.parse_args()
    languages = given.languages.split(",")
    table = pd.read_parquet(given.names, columns=languages)
    names = [table[name].str.split(" > ").str[-1].tolist() for name in languages]
    titles = [json.loads(line) for line in given.titles.read_text().splitlines()]
    adapter = fit(
        np.stack([read_states(texts) for texts in names]),
        read_states(titles),
        given.steps,
        languages.index("en"),
    )
    np.savez(
        given.out,
        vector=adapter.vector.astype(np.float16),
        features=adapter.features.astype(np.float16),
        bias=adapter.bias.astype(np.float32),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
