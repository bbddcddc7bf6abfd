"""What a version of the ranker is asked with and what it answers: each tensor, declared once.

Packing, checks, the model server's configuration, held-out slates and the benchmark are derived
from these tables. A published version carries a copy of this module and of columns/: NumPy only.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum, StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from serving.models.columns.families import FAMILIES

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int64]
Tensors = Mapping[str, Array]  # by name, as in INPUTS
TextsOf = Callable[[RowArray], tuple[RowArray, npt.NDArray[np.int16]]]

ANY = -1
MAX_TOKENS = 64  # kept of a text; a version cuts at its own limit, as the tokenizer would have


class Rows(Enum):
    """What a tensor has a row for; COUNTS say how many of the ragged ones a request has."""

    CALL = "call"  # one row, whatever is in the batch
    REQUEST = "request"
    CANDIDATE = "candidate"
    HISTORY = "history item"
    PURCHASE = "purchase"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    columns: None: one number a row; ANY: the widest row decides, token rows are zero-padded.
    default: of an input that came later than the first versions: what each row holds where a batch
    comes without it, from serving or from held-out slates of before.
    """

    name: str
    dtype: str
    rows: Rows
    columns: int | None = None
    default: float | None = None

    @property
    def dims(self) -> tuple[int, ...]:
        """Of the whole tensor, as the model server's configuration has them."""
        if self.rows is Rows.CALL:
            return (self.columns or 1,)
        return (ANY,) if self.columns is None else (ANY, self.columns)


# Tokens are those of BERT's tokenizer; a row of zeros is no text. Keys are content keys of texts
# (features.catalog): the same text has the same vector, 0 = not to be remembered.
INPUTS = (
    Tensor("QUERY_TOKENS", "int16", Rows.REQUEST, ANY),  # zeros = no query
    Tensor("USER_HISTORY_COUNTS", "int32", Rows.REQUEST),
    Tensor("SESSION_HISTORY_COUNTS", "int32", Rows.REQUEST),
    Tensor("BOUGHT_COUNTS", "int32", Rows.REQUEST),
    # Of each item bought: how often, days since the first and since the last time.
    Tensor("PURCHASES", "float32", Rows.PURCHASE, 3),
    # Of each request the user's recent items, the session's, and what the user bought, each newest
    # first.
    Tensor("HISTORY_KEYS", "int64", Rows.HISTORY),
    Tensor("HISTORY_TOKENS", "int16", Rows.HISTORY, ANY),
    Tensor("ROW_COUNTS", "int32", Rows.REQUEST),
    Tensor("ITEM_KEYS", "int64", Rows.CANDIDATE),
    Tensor("ITEM_TOKENS", "int16", Rows.CANDIDATE, ANY),
    # NaN = unknown. A version takes the columns that it was trained on, by the names that come
    # along.
    Tensor("FEATURES", "float32", Rows.CANDIDATE, ANY),
    Tensor("EXPLAINED", "int32", Rows.REQUEST, default=0),  # 1: with CONTRIBUTIONS
)
# The histories in the order in which they lie in HISTORY_*.
HISTORIES = ("USER_HISTORY_COUNTS", "SESSION_HISTORY_COUNTS", "BOUGHT_COUNTS")
COUNTS: dict[Rows, tuple[str, ...]] = {
    Rows.CANDIDATE: ("ROW_COUNTS",),
    Rows.HISTORY: HISTORIES,
    Rows.PURCHASE: ("BOUGHT_COUNTS",),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a score, by its name in `explain`; `member`: of the blend, whose file bears it."""

    name: str
    member: str | None = None


# The text match is a cosine; the score is the sum of the others. "query" is a prior for queries,
# which only versions of before have: relevance is judged outside the ranker now.
PARTS = (Part("text"), Part("query"), Part("network", "head"), Part("forest", "forest"))
PART_NAMES = tuple(part.name for part in PARTS)
OUTPUTS = (
    Tensor("SCORES", "float32", Rows.CANDIDATE),
    Tensor("PARTS", "float32", Rows.CANDIDATE, len(PARTS)),  # NaN = does not apply
    # The baseline's score and what each family of columns adds to it (families.py); left out where
    # no request of the batch is to be explained.
    Tensor("CONTRIBUTIONS", "float32", Rows.CANDIDATE, 1 + len(FAMILIES)),
    Tensor("TIMES", "int64", Rows.CALL, 2),  # when the work began and ended, unix nanoseconds
)


class EncoderProfile(StrEnum):
    """Which network and tokenizer the general encoder is made of; a version has one."""

    ENGLISH = "english"
    MULTILINGUAL = "multilingual"


# The models beside the ranker, by what goes in and comes out. A row of TOKENS is a text; the
# multilingual encoder's vocabulary is larger than int16 holds.
VECTOR_SIZE = 384
PICTURE_SIDE = 224  # pixels; of a picture as its encoder takes it
PICTURE_SHAPES = 1280  # the first numbers of a picture's vector; those behind tell its colours
PICTURE_VECTOR_SIZE = PICTURE_SHAPES + 63
# Whose vectors of pictures can be compared with each other; another network gets another name.
PICTURE_ENCODER = "efficientnet-lite0-colours"
_TOKENS = (Tensor("TOKENS", "int32", Rows.REQUEST, ANY),)
_PAIR_TOKENS = (Tensor("TOKENS", "int16", Rows.REQUEST, ANY),)
MODELS: dict[str, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]] = {
    "ranker": (INPUTS, OUTPUTS),
    "encoder": (_TOKENS, (Tensor("VECTORS", "float32", Rows.REQUEST, VECTOR_SIZE),)),
    "cross_encoder": (_PAIR_TOKENS, (Tensor("SCORES", "float32", Rows.REQUEST),)),
    "pictures": (
        # Rows of red, green and blue.
        (Tensor("PIXELS", "uint8", Rows.REQUEST, PICTURE_SIDE * PICTURE_SIDE * 3),),
        (Tensor("VECTORS", "float32", Rows.REQUEST, PICTURE_VECTOR_SIZE),),
    ),
}


def candidate_model(model: str, version: str) -> str:
    """The name under which a version is served beside the one in use, in the same repository."""
    return f"{model}-{version}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a version reads of a request, as it was trained on; the usual ones.

    max_tokens: of a text; histories in items, newest first; query_tokens: 0 of a version whose
    scores do not depend on the query: it is then sent to be explained only. They are published with
    a version, and serving sends no more than the version in use says.
    """

    max_tokens: int = 48
    query_tokens: int = MAX_TOKENS
    user_history: int = 20
    session_history: int = 8
    bought_history: int = 64

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """From training.json or the parameters of a configuration; what is missing is as usual.

        Raises ValueError for what is no such number.
        """
        values = {
            field.name: int(given[field.name]) for field in fields(cls) if field.name in given
        }
        for name, value in values.items():
            if value < (1 if name == "max_tokens" else 0):
                raise ValueError(f"{name}: {value} is too little")
        return cls(**values)

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


def request_tensors(
    texts_of: TextsOf,
    query_tokens: npt.NDArray[np.int16],
    user_history: RowArray,
    session_history: RowArray,
    bought: RowArray,
    purchases: FloatArray,
    candidates: RowArray,
    features: FloatArray,
    explained: bool = False,
) -> dict[str, Array]:
    """The INPUTS of one request, in serving and in training alike.

    texts_of: keys (n,) and tokens (n, any) of catalogue rows; query_tokens (1, any); histories and
    candidates: rows (n,); purchases float32 (len(bought), 3); features float32 (n_candidates, any);
    explained: whether what each family of columns adds is asked for
    """
    history_keys, history_tokens = texts_of(np.concatenate([user_history, session_history, bought]))
    item_keys, item_tokens = texts_of(candidates)
    return {
        "QUERY_TOKENS": query_tokens,
        "USER_HISTORY_COUNTS": _count(user_history),
        "SESSION_HISTORY_COUNTS": _count(session_history),
        "BOUGHT_COUNTS": _count(bought),
        "PURCHASES": purchases,
        "HISTORY_KEYS": history_keys,
        "HISTORY_TOKENS": history_tokens,
        "ROW_COUNTS": _count(candidates),
        "ITEM_KEYS": item_keys,
        "ITEM_TOKENS": item_tokens,
        "FEATURES": features,
        "EXPLAINED": np.array([explained], np.int32),
    }


def _count(rows: RowArray) -> npt.NDArray[np.int32]:
    return np.array([len(rows)], np.int32)
