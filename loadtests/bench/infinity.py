"""Infinity, a peer that installs from PyPI: the same weights as a plain cross-encoder over HTTP.

It has an environment of its own (requirements/peers.txt), for its NumPy and transformers are not
ours.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from safetensors.numpy import load_file, save_file

from loadtests.bench.starting import wait_until_answered
from loadtests.memory import memory_by_process
from serving.local.machine import free_port
from serving.local.processes import death_signal
from serving.training.publish.base_model import base_folder

PEERS = Path(".venv-peers/bin").resolve()
MODEL_NAME = "cross-encoder"
_START_S = 180.0


def cross_encoder_folder(out: Path) -> Path:
    """all-MiniLM-L6-v2 with one linear output, as transformers' sequence classification.

    What it scores is of no use, untrained as the output is; it costs what a trained one costs.
    """
    out.mkdir(parents=True, exist_ok=True)
    base = base_folder()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)
    tensors = load_file(base / "model.safetensors")
    named = {
        f"bert.{name}": value
        for name, value in tensors.items()
        if not name.endswith("position_ids")
    }
    size = len(tensors["embeddings.LayerNorm.weight"])
    word = tensors["embeddings.LayerNorm.weight"]
    named["classifier.weight"] = (word / size).reshape(1, size)
    named["classifier.bias"] = word[:1] * 0
    save_file(named, out / "model.safetensors", {"format": "pt"})
    config = json.loads((base / "config.json").read_text())
    config |= {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {"0": "score"},
        "label2id": {"score": 0},
    }
    (out / "config.json").write_text(json.dumps(config))
    return out


@contextmanager
def infinity(model: Path, log: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Its address and process while the block runs; raises RuntimeError when it does not start."""
    port = free_port()
    command = [
        str(PEERS / "infinity_emb"), "v2", "--model-id", str(model),
        "--served-model-name", MODEL_NAME, "--engine", "torch",
        "--device", "cpu", "--host", "127.0.0.1", "--port", str(port), "--no-model-warmup",
        "--no-bettertransformer", "--log-level", "warning",
    ]  # fmt: skip
    environment = {
        "PATH": str(PEERS),
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "HOME": str(log.parent),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment,
            preexec_fn=death_signal(),
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_answered(
            lambda: httpx.get(f"{url}/health", timeout=2),
            process,
            log,
            _START_S,
            "Infinity",
        )
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def memory_mib(top: psutil.Process) -> float:
    """Proportional resident memory of it and its children."""
    return sum(memory_by_process([top, *top.children(recursive=True)]).values())
