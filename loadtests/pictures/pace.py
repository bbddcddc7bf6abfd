"""How long a picture takes to be decoded and encoded: a sample, and what it says of 10,000.

    python -m loadtests.pictures.pace [--pictures 600]

Two threads decode and encode, as a worker and Triton on two cores do; the network between them, and
the fetching, are left out. CPU seconds say the same on a busy machine, time on a wall does not.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from loadtests.pictures.emoji import emoji
from loadtests.pictures.gallery import published_encoder
from loadtests.pictures.variants import pixels

_MANY = 10_000
_GOAL_S = 15 * 60.0
_CORES = 2


def main() -> int:
    """The exit status: 1 where 10,000 would take longer than the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pictures", type=int, default=600)
    n_pictures = parser.parse_args().pictures
    found = emoji()
    again = n_pictures > len(found)  # there are not so many: each is looked at several times
    chosen = np.random.default_rng(2).choice(len(found), n_pictures, replace=again)
    contents = [found[place].path.read_bytes() for place in chosen]
    encoder = published_encoder(1)
    encoder.encode(pixels(contents[0]).reshape(1, -1))

    def look(content: bytes) -> None:
        encoder.encode(pixels(content).reshape(1, -1))

    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(_CORES) as pool:
        list(pool.map(look, contents))
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    scale = _MANY / n_pictures
    print(f"{n_pictures} pictures: {wall_s:.1f} s, {1e3 * cpu_s / n_pictures:.1f} CPU-ms each")
    print(
        f"{_MANY} would take {scale * wall_s:.0f} s as here, {scale * cpu_s / _CORES:.0f} s of "
        f"{_CORES} idle cores; goal {_GOAL_S:.0f} s"
    )
    return int(scale * cpu_s / _CORES > _GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
