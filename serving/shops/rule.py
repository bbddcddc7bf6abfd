"""What every part of the merchandiser's file is."""

from pydantic import BaseModel, ConfigDict


class Rule(BaseModel):
    """A part of the rules: closed, so that a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
