"""Ray Serve without pandas, which it imports to encode answers that are data frames: ours are not.

That is 42 MiB and a second of each process that imports Serve. Who needs pandas imports it later.
"""

import sys

sys.modules["pandas"] = None  # type: ignore[assignment]  # to Serve, it is not installed

import ray.serve  # noqa: E402, F401

del sys.modules["pandas"]
