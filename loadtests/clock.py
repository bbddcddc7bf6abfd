"""A wall clock that jumps for the processes of a stack: libfaketime, preloaded, with a file."""

import os
from pathlib import Path

_LIBRARY = "faketime/libfaketimeMT.so.1"
_FOLDERS = (Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib/aarch64-linux-gnu"), Path("/usr/lib"))


class ShiftedClock:
    """The true time plus `shift`; monotonic clocks stay as they are, as when NTP steps a clock."""

    def __init__(self, file: Path) -> None:
        """Raises FileNotFoundError when libfaketime (the package `faketime`) is not there."""
        libraries = [folder / _LIBRARY for folder in _FOLDERS if (folder / _LIBRARY).is_file()]
        if not libraries:
            raise FileNotFoundError("libfaketime is not installed (apt-get install faketime)")
        self._file = file
        self.shift(0)
        self.environment = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds between two reads of the file
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def shift(self, seconds: int) -> None:
        """Let the processes' time be so far ahead, or behind when negative, within a second."""
        part = self._file.with_suffix(".part")
        part.write_text(f"{seconds:+d}\n")
        os.replace(part, self._file)
