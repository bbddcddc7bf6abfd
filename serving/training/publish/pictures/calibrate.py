"""Find the ranges of the int8 network and the usual colours of real pictures, and write them beside
this module.

    python -m serving.training.publish.pictures.calibrate --pictures FOLDER

They are found once and belong to the code: a publisher has no pictures at hand.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime

from serving.pictures.decoding import pixels_of
from serving.pictures.problems import Pixels
from serving.training.publish.pictures.colours import USUAL, colours_of
from serving.training.publish.pictures.network import Ranges, build_float, evened, layers_of
from serving.training.publish.pictures.version import RANGES, drawn_pictures
from serving.training.publish.pictures.weights import package_file, read_weights

_N_PICTURES = 160
_N_DRAWN = 40
_SEED = 11
_CUT = 0.98  # of the pictures; the others are cut, and all are finer


def calibrate(pictures: Iterable[Pixels]) -> Ranges:
    """Of each evened layer: its smallest and largest output in nearly every picture."""
    model = build_float(evened(layers_of(read_weights(package_file()))), told=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()][1:]
    ends = np.array(
        [
            [(values.min(), values.max()) for values in session.run(names, {"PIXELS": each})]
            for each in (pixels.reshape(1, -1) for pixels in pictures)
        ]
    )
    low, high = np.quantile(ends[..., 0], 1 - _CUT, axis=0), np.quantile(ends[..., 1], _CUT, axis=0)
    return {
        name: (float(least), float(most))
        for name, least, most in zip(names, low, high, strict=True)
    }


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pictures", type=Path, required=True, help="a folder of picture files")
    paths = sorted(path for path in parser.parse_args().pictures.rglob("*") if path.is_file())
    chosen = np.random.default_rng(_SEED).choice(len(paths), _N_PICTURES, replace=False)
    real = [pixels_of(paths[place].read_bytes(), 2**24, 2**26) for place in chosen]
    usual = np.mean([colours_of(pixels) for pixels in real], axis=0)
    USUAL.write_text(json.dumps([round(float(share), 5) for share in usual]) + "\n")
    ranges = calibrate([*real, *drawn_pictures(_N_DRAWN, _SEED)])
    lines = ",\n".join(
        f'  "{name}": [{low:.4f}, {high:.4f}]' for name, (low, high) in ranges.items()
    )
    RANGES.write_text(f"{{\n{lines}\n}}\n")
    print(f"{RANGES}: {len(json.loads(RANGES.read_text()))} layers, {len(chosen)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
