"""The multilingual adapter learns what names of one thing have in common."""

import numpy as np

from serving.models.contract import VECTOR_SIZE
from serving.training.fit.search.encoder_adapter import fit, read_states


def unit(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return found


def test_the_direction_of_a_language_is_unlearnt() -> None:
    rng = np.random.default_rng(0)
    things, language = rng.normal(size=(64, 512)), 20 * unit(rng.normal(size=(2, 1, 512)))
    features = rng.normal(size=(2, 64, 1280))
    names = np.concatenate([unit(things + language), features], axis=2).astype(np.float32)
    titles = names[0, :32]
    adapter = fit(names, titles, steps=30, english=0)
    assert adapter.vector.shape == (512, VECTOR_SIZE)
    assert adapter.features.shape == (1280, VECTOR_SIZE)

    def spread(states: np.ndarray) -> float:
        """How far a thing's two names lie apart, against two things of one language."""
        match = states[0] @ states[1].T
        return float((match.diagonal() - match.mean()).mean() / match.std())

    adapted = unit(names[..., :512] @ adapter.vector + names[..., 512:] @ adapter.features)
    assert spread(adapted) > spread(names[..., :512])


def test_what_the_adapter_reads_is_the_packages_vector_and_its_features() -> None:
    states = read_states(["running shoes", "跑鞋"])
    assert states.shape == (2, 512 + 1280)
    np.testing.assert_allclose(np.linalg.norm(states[:, :512], axis=1), 1, atol=1e-5)
