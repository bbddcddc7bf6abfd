"""Real pictures with names: renderings of the npm package @lobehub/fluent-emoji-3d (MIT)."""

import re
import shutil
import subprocess
import tarfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

PACKAGE, VERSION = "@lobehub/fluent-emoji-3d", "1.1.0"
_FOLDER = Path("build/pictures")
_TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}
_JOINERS = {"200d", "fe0f", "2640", "2642"}  # and the signs of women and men


@dataclass(frozen=True, slots=True)
class Emoji:
    """One rendering. name: what it shows, in words; kind: the same for other tones of skin."""

    path: Path
    name: str
    kind: str


def emoji() -> list[Emoji]:
    """All of them, by file name; fetched once with npm into build/pictures."""
    folder = _FOLDER / VERSION
    if not folder.is_dir():
        _fetch(folder)
    found = [_read(path) for path in sorted(folder.rglob("*.webp"))]
    return [each for each in found if each is not None]


def _fetch(folder: Path) -> None:
    program = shutil.which("npm")
    if program is None:
        raise SystemExit("npm is not installed: the pictures are in a package of its registry")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    command = [program, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
    packed = subprocess.run(command, cwd=_FOLDER, check=True, capture_output=True, text=True)
    archive = _FOLDER / packed.stdout.strip().splitlines()[-1]
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(archive) as packed_files:
        packed_files.extractall(part, filter="data")
    part.rename(folder)
    archive.unlink()


def _read(path: Path) -> Emoji | None:
    codes = path.stem.lower().split("-")
    if not all(re.fullmatch("[0-9a-f]{2,6}", code) for code in codes):
        return None
    plain = [code for code in codes if code not in _JOINERS]
    names = [_name(code) for code in plain]
    kinds = [_name(code) for code in plain if code not in _TONES]
    if not kinds or "" in kinds:
        return None
    return Emoji(path, ", ".join(names), ", ".join(kinds))


def _name(code: str) -> str:
    return unicodedata.name(chr(int(code, 16)), "").lower()
