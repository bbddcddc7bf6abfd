"""Texts are tokenised here, and long ones without holding up everyone else."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from serving.models.encoder import TextVectors


class Words:
    """A tokenizer that remembers where it worked."""

    thread: threading.Thread | None = None

    def tokens(self, texts: list[str], at_most: int) -> npt.NDArray[np.int16]:
        self.thread = threading.current_thread()
        return np.ones((len(texts), 1), np.int16)


class Network:
    """An encoder that remembers the time it was given."""

    budget_s = 0.0

    async def encode(self, tokens: Any, budget_s: float, traceparent: str | None = None) -> Any:
        self.budget_s = budget_s
        return np.zeros((len(tokens), 4), np.float32)


@pytest.mark.parametrize(("texts", "aside"), [(["milk"], False), (["milk " * 200] * 32, True)])
async def test_long_texts_are_tokenised_beside_the_event_loop(
    texts: list[str], aside: bool
) -> None:
    words, network = Words(), Network()
    vectors = await TextVectors(words, network).encode(texts, 1.0)  # type: ignore[arg-type]
    assert len(vectors) == len(texts)
    assert (words.thread is not threading.main_thread()) is aside
    assert 0 < network.budget_s < 1.0
