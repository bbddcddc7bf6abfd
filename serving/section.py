"""A part of the settings: each room declares its own, serving/settings.py composes them."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the settings: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
