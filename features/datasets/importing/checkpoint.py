"""How far an import has come, in a small file: one that was killed goes on from there."""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import pandas as pd


@dataclass(slots=True)
class Checkpoint:
    """Rows that were sent, and what became of them."""

    path: Path
    sent: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, folder: Path, url: str, events: pd.DataFrame) -> "Checkpoint":
        """What was kept of sending these events to this shop; else a new one."""
        hashes = pd.util.hash_pandas_object(events["event_id"], index=False).to_numpy()
        fingerprint = blake2b(hashes.tobytes(), digest_size=12).hexdigest()
        place = blake2b(f"{url}\0{fingerprint}".encode(), digest_size=8).hexdigest()
        found = cls(folder / f"{place}.json")
        if found.path.is_file():
            kept = json.loads(found.path.read_bytes())
            found.sent, found.counts = kept["sent"], Counter(kept["counts"])
        return found

    def keep(self, n_sent: int, counts: Counter[str]) -> None:
        """`n_sent` more rows are in the shop's log."""
        self.sent += n_sent
        self.counts += counts
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"sent": self.sent, "counts": self.counts}))
        part.replace(self.path)

    def done(self) -> None:
        """Forget it: another import begins at the first row."""
        self.path.unlink(missing_ok=True)
