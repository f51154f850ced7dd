"""A git repository in so far as its root is told by `.git`."""

from collections.abc import Mapping
from pathlib import Path


def write_repository(root: Path, files: Mapping[str, str]) -> Path:
    """`root` with these files in it, by path; what is there already stays."""
    (root / ".git").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
