"""What every part of the merchandiser's file is."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Rule(BaseModel):
    """A part of the rules: closed, so that a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def overlaid(own: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`own` with `changes` in it: mappings are merged, all else takes the place of what was."""
    merged = dict(own)
    for name, value in changes.items():
        before = own.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            value = overlaid(before, value)
        merged[name] = value
    return merged
