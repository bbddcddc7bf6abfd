"""Feast without its checks of types at run time.

Feast marks its classes `@typechecked`. At import, typeguard parses Feast's modules anew and
compiles each method once more, with checks: 3 of the 4.6 s of processor time that `import feast`
takes, in every process of ours. What the checks would find, mypy has found.

typeguard is made for tests and has one switch, `python -O`. That would also leave out every assert.
"""

import importlib.util
from typing import Any


def _as_written(target: Any = None, **_: Any) -> Any:
    """What `typeguard.typechecked` is under `python -O`: the function or class unchanged."""
    return _as_written if target is None else target


def leave_out() -> None:
    """Before Feast is imported: its classes stay as they are written.

    The model server's environment has neither Feast nor typeguard; there is nothing to do.
    """
    if importlib.util.find_spec("typeguard") is None:
        return
    import typeguard

    typeguard.typechecked = _as_written
