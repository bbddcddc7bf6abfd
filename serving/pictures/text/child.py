"""The process that reads: `python -m serving.pictures.text.child THREADS MAX_SIDE`.

A byte says that it is ready. Then it takes a page (big-endian height and width, the pixels as RGB)
and gives lines (big-endian length, a JSON list of [text, confidence]; null: the library failed over
this one), until its input ends. What libraries print goes to stderr.
"""

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from serving.pictures.problems import Page
from serving.pictures.text.plain import Line

READY = b"."
SHAPE, SIZE = struct.Struct(">II"), struct.Struct(">I")
_NICENESS = 10  # rankings on the same machine go first


def engine(threads: int, max_side: int) -> Callable[[Page], list[Line]]:
    """RapidOCR over the models of its wheel; nothing is downloaded. Raises ImportError, OSError."""
    import cv2
    import rapidocr

    cv2.setNumThreads(threads)
    models = Path(rapidocr.__file__).parent / "models"
    # By their paths: what is found by name is downloaded where it is missing.
    parts = {
        "Det": "PP-OCRv6_det_small.onnx",
        "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
        "Rec": "PP-OCRv6_rec_small.onnx",
    }
    missing = [name for name in parts.values() if not (models / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{models}: no {', '.join(missing)}")
    options = {
        "Global.log_level": "critical",
        "Global.max_side_len": max_side,
        # A small picture is read as it is: made larger, it costs more and says no more.
        "Det.limit_type": "max",
        "Det.limit_side_len": max_side,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        **{f"{part}.model_path": str(models / name) for part, name in parts.items()},
    }
    reads = rapidocr.RapidOCR(params=options)
    blank = np.full((64, 64, 3), 255, np.uint8)  # each model is loaded when it is first asked
    reads(blank, use_det=True, use_cls=False, use_rec=False)
    reads(blank, use_det=False, use_cls=True, use_rec=True)

    def read(page: Page) -> list[Line]:
        pixels = np.ascontiguousarray(page[:, :, ::-1])
        found: Any = reads(pixels, use_det=True, use_cls=True, use_rec=True)
        texts, scores = getattr(found, "txts", None) or (), getattr(found, "scores", None) or ()
        return [(str(text), float(score)) for text, score in zip(texts, scores, strict=True)]

    return read


def serve(read: Callable[[Page], list[Line]], pages: BinaryIO, lines: BinaryIO) -> None:
    """Read page after page until `pages` ends."""
    lines.write(READY)
    lines.flush()
    while len(shape := pages.read(SHAPE.size)) == SHAPE.size:
        height, width = SHAPE.unpack(shape)
        page = np.frombuffer(pages.read(height * width * 3), np.uint8).reshape(height, width, 3)
        try:
            found: list[Line] | None = read(page)
        except Exception as error:  # a library of native code raises what it likes over odd pages
            print(f"a page of {width} x {height} is not read: {error!r}", file=sys.stderr)
            found = None
        answer = json.dumps(found).encode()
        lines.write(SIZE.pack(len(answer)) + answer)
        lines.flush()


def main() -> None:
    """Until the input ends."""
    threads, max_side = map(int, sys.argv[1:])
    os.nice(_NICENESS)
    with os.fdopen(os.dup(1), "wb") as lines:
        os.dup2(2, 1)
        serve(engine(threads, max_side), sys.stdin.buffer, lines)


if __name__ == "__main__":
    main()
