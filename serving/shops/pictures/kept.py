"""Where a shop's joint spaces of words and pictures are kept."""

from features.controls.store import Documents
from features.controls.versions import KeptVersions

NONE = "none"  # the version of a shop whose words find no pictures
SPACES_KEPT = 3


def kept_spaces(documents: Documents) -> KeptVersions:
    """The spaces in `documents`."""
    return KeptVersions(documents, "joint_spaces", "joint_space_state", NONE, SPACES_KEPT)
