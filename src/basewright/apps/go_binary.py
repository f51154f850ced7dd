"""The executable that a Go build made: its name, and whether it says that it was built as asked."""

from basewright.apps.go_module import GoModuleFolder
from basewright.ecosystems.golang import GoBinary, parse_go_binary
from basewright.errors import BuildFailedError


def binary_name(module: GoModuleFolder, package: str) -> str:
    """As `go build` names it: the last element of the package's path, a major version's left out."""
    path = f"{module.mod.module or module.folder.name}/{package.removeprefix('.').removeprefix('/')}".rstrip("/")
    parts = [part for part in path.split("/") if part]
    if len(parts) > 1 and parts[-1].startswith("v") and parts[-1][1:].isdigit():
        parts.pop()
    return parts[-1]


def check_binary(data: bytes, *, name: str, toolchain: str, architecture: str) -> GoBinary:
    """What the executable says of its build. Raises BuildFailedError where that is not a static one for linux on
    `architecture`, without paths, by `toolchain`."""
    binary = parse_go_binary(data)
    if binary is None:
        raise BuildFailedError(f"{name} holds no build information of Go")
    wanted = {"GOOS": "linux", "GOARCH": architecture, "CGO_ENABLED": "0", "-trimpath": "true"}
    found = {key: binary.settings.get(key, "unset") for key in wanted}
    wrong = [f"{key}={value}" for key, value in found.items() if value != wanted[key]]
    if binary.go_version.split(" ")[0] != f"go{toolchain}":
        wrong.append(f"built by {binary.go_version}")
    if binary.architecture != architecture:
        wrong.append(f"an executable for {binary.architecture}")
    if binary.interpreter is not None:
        wrong.append(f"asks for the loader {binary.interpreter}")
    if wrong:
        raise BuildFailedError(
            f"{name} was not built as asked (linux/{architecture}, static, Go {toolchain}): {', '.join(wrong)}"
        )
    return binary
