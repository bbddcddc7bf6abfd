"""The multilingual sentence encoder as ONNX, built from weights without torch.

The graph takes token ids int32 (n, length), all of one length, without padding, and gives unit
vectors float32 (n, size), as encoder_onnx.py's does. The network: word vectors, three stacks of
convolutions over 2, 3 and 5 pieces, the sum over all pieces, two dense layers with a way around
them, tanh. Then the adapter, a linear map of ours.

Ids are those of serving/models/sentencepiece.py: 0 is padding and never comes here, a piece's id is
one more than in the package.
"""

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from features.arrays import FloatArray
from serving.training.publish.multilingual.weights import (
    N_TABLES,
    Adapter,
    MultilingualWeights,
)
from serving.training.publish.onnx_graph import Graph

_OPSET = 18
_IR_VERSION = 9
_WINDOWS = {2: (0, 1), 3: (1, 1), 5: (2, 2)}  # pieces: those before and behind that count


def build(weights: MultilingualWeights, adapter: Adapter | None) -> bytes:
    """The network with the adapter; None: as the package is."""
    return _Network(weights).model(adapter).SerializeToString()  # type: ignore[no-any-return]


class _Network(Graph):
    def __init__(self, weights: MultilingualWeights) -> None:
        super().__init__()
        self._weights = weights
        self._epsilon = float(weights["eps"])

    def model(self, adapter: Adapter | None) -> onnx.ModelProto:
        x = self._words()
        branches = [x, *(self._convolved(y, width) for y, width in self._branches(x))]
        x = self.node("Concat", branches, "features", axis=-1)
        x = self._normed(x, self._floats("ln_g"), self._floats("ln_b"), "normed")
        total, root = self._summed(x)
        x = self._dense(self._projected(total, root))
        size = self._weights["d3"].shape[1]
        if adapter is not None:
            size = len(adapter.bias)
            x = self._adapted(x, self.node("Div", [total, root], "features_mean"), adapter)
        self.node("LpNormalization", [x], "vectors", axis=-1, p=2)
        tokens = helper.make_tensor_value_info("tokens", TensorProto.INT32, ["n", "length"])
        vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", size])
        return helper.make_model(
            helper.make_graph(self.nodes, "text_encoder", [tokens], [vectors], self.constants),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )

    def _words(self) -> str:
        """(n, length, 512): 6 bits a number, and each of the 17 tables has a range of its own."""
        ids = self.node("Sub", ["tokens", self.constant("one", np.array(1, np.int32))], "ids")
        tables = self.constant("tables", np.array(N_TABLES, np.int32))
        number = self.node("Mod", [ids, tables], "table_number")
        rows = self.node("Gather", [self.constant("table", self._weights["table"]), ids], "rows")
        x = self.node("Cast", [rows], "rows_float", to=TensorProto.FLOAT)
        for name, op in (("scale", "Mul"), ("lo", "Add")):
            column = self.floats(name, self._floats(name)[:, None])
            x = self.node(op, [x, self.node("Gather", [column, number], f"{name}_of")], f"{name}d")
        return x

    def _branches(self, x: str) -> list[tuple[str, int]]:
        """What each stack of convolutions reads, (n, length, 256), and over how many pieces."""
        joined = {
            part: np.concatenate([self._floats(f"{part}{width}") for width in _WINDOWS], axis=-1)
            for part in ("proj", "proj_b", "ln_g", "ln_b")
        }
        product = self.node("MatMul", [x, self._halved("proj", joined["proj"])], "proj.product")
        x = self.node("Add", [product, self.floats("proj.b", joined["proj_b"])], "proj.shifted")
        # All three are normed as one: so does the package.
        x = self._normed(x, joined["ln_g"], joined["ln_b"], "proj.normed")
        outputs = [f"w{width}.words" for width in _WINDOWS]
        self.nodes.append(
            helper.make_node("Split", [x], outputs, axis=-1, num_outputs=len(outputs))
        )
        return list(zip(outputs, _WINDOWS, strict=True))

    def _convolved(self, x: str, width: int) -> str:
        """(n, length, 256): two convolutions over `width` pieces, each added to what went in."""
        name = f"w{width}"
        y = self.node("Transpose", [x], f"{name}.channels", perm=[0, 2, 1])
        for layer in (1, 2):
            kernel = self._floats(f"w{layer}_{width}")
            kernel = kernel.reshape(width, -1, kernel.shape[1]).transpose(2, 1, 0)
            made = self.node(
                "Conv",
                [y, self._halved(f"{name}.kernel{layer}", kernel),
                 self.floats(f"{name}.bias{layer}", self._floats(f"b{layer}_{width}"))],
                f"{name}.made{layer}",
                pads=list(_WINDOWS[width]),
            )  # fmt: skip
            kept = self.node("Relu", [made], f"{name}.kept{layer}")
            y = self.node("Add", [kept, y], f"{name}.layer{layer}")
        return self.node("Transpose", [y], f"{name}.pieces", perm=[0, 2, 1])

    def _summed(self, x: str) -> tuple[str, str]:
        """The features of all pieces summed, (n, 1280), and the root of how many there are."""
        axes = self.constant("over_pieces", np.array([1], np.int64))
        total = self.node("ReduceSum", [x, axes], "total", keepdims=0)
        self.node("Shape", ["tokens"], "length", start=1, end=2)
        length = self.node("Cast", ["length"], "length_float", to=TensorProto.FLOAT)
        return total, self.node("Sqrt", [length], "root")

    def _projected(self, total: str, root: str) -> str:
        """(n, 512): the projections of all pieces, summed and divided by the root."""
        product = self.node("MatMul", [total, self._half("cnn_W")], "projected")
        x = self.node("Div", [product, root], "projected_mean")
        bias = self.node("Mul", [root, self.floats("bias", self._floats("cnn_b"))], "bias_mean")
        return self.node("Add", [x, bias], "summed")

    def _adapted(self, x: str, features: str, adapter: Adapter) -> str:
        unit = self.node("LpNormalization", [x], "unit", axis=-1, p=2)
        parts = [
            self.node("MatMul", [part, self._halved(f"adapter.{name}", weight)], f"by_{name}")
            for part, name, weight in (
                (unit, "vector", adapter.vector),
                (features, "features", adapter.features),
            )
        ]
        both = self.node("Add", parts, "by_both")
        return self.node("Add", [both, self.floats("adapter.bias", adapter.bias)], "adapted")

    def _dense(self, x: str) -> str:
        def product(x: str, name: str) -> str:
            return self.node("MatMul", [x, self._half(name)], f"{name}.product")

        inner = self.node("Relu", [product(x, "d0")], "inner1")
        y = self.node("Add", [product(x, "p1"), product(inner, "d1")], "outer1")
        y = self.node("Relu", [y], "middle")
        inner = self.node("Relu", [product(y, "d2")], "inner2")
        y = self.node("Add", [product(y, "p3"), product(inner, "d3")], "outer2")
        return self.node("Tanh", [y], "bounded")

    def _normed(self, x: str, scale: FloatArray, bias: FloatArray, name: str) -> str:
        constants = [self.floats(f"{name}.w", scale), self.floats(f"{name}.b", bias)]
        return self.node(
            "LayerNormalization", [x, *constants], name, axis=-1, epsilon=self._epsilon
        )

    def _half(self, name: str) -> str:
        return self._halved(f"{name}.w", self._floats(name))

    def _halved(self, name: str, values: FloatArray) -> str:
        """A constant in two bytes a number in the file, and in four as soon as it is loaded."""
        half = self.constant(f"{name}.half", values.astype(np.float16))
        return self.node("Cast", [half], name, to=TensorProto.FLOAT)

    def _floats(self, name: str) -> npt.NDArray[np.float32]:
        return self._weights[name].astype(np.float32)
