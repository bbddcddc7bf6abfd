"""What `feast -c features apply` reads: the one module that .feastignore leaves visible.

It works on the snapshots of the local state folder (.vitrine/offline) with a registry and an online
store of its own, so that `feast materialize` cannot set the live store back to a snapshot.
"""

import sys
from pathlib import Path

# The feast command puts this folder on the path, not the one that holds the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from features.definitions import definitions
from features.store.offline import OfflineStore

_offline = Path(__file__).resolve().parents[1] / ".vitrine" / "offline"
OfflineStore(_offline).prepare()
_definitions = definitions(str(_offline))

user, session, item = _definitions.entities
user_behavior, session_behavior, item_behavior = _definitions.views
ranker_v1, ranker_v2, ranker_v3, ranker_v4 = _definitions.services
