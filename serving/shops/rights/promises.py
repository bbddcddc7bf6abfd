"""What the rules promise of an erasure where this service cannot see it done."""

from pydantic import Field

from serving.shops.rule import Rule


class Promises(Rule):
    """What the shop promises for what this service cannot see, in days after an erasure."""

    retraining_days: int = Field(30, ge=1, le=365, description="Models are trained anew.")
    exports_days: int = Field(30, ge=1, le=365, description="Copies of the log are deleted.")
    backups_days: int = Field(35, ge=1, le=3650, description="Backups are kept no longer.")
