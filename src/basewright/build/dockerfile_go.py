"""The stages of a Go candidate: a static binary, cross-compiled on the build machine, on the runtime base."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from basewright.apps.go import BUILD_FLAGS, WORKING_DIRECTORY
from basewright.apps.go_binary import binary_name
from basewright.apps.go_module import GoModuleFolder, find_module
from basewright.apps.go_package import find_main_package
from basewright.apps.go_toolchain import parse_toolchain
from basewright.bases.scratch import GROUP, PASSWD
from basewright.build import dockerfile_text as text
from basewright.build.dockerfile_stage import (
    StageImage,
    install_commands,
    install_pragma,
    prepared,
    stage_image,
)
from basewright.lock import LockedGo
from basewright.strategy import Candidate, Platform, PublishedBase, ScratchBase, Strategy

_MODULES, _BUILDS = "/go/pkg/mod", "/root/.cache/go-build"
_SOURCES, _OUTPUT, _ROOT = "/src", "/out", "/rootfs"
_FROM_ASSEMBLER = {
    "ca-certificates": ("mkdir -p {root}/etc/ssl/certs", "cp /etc/ssl/certs/ca-certificates.crt {root}/etc/ssl/certs/"),
    "tzdata": ("mkdir -p {root}/usr/share", "cp -r /usr/share/zoneinfo {root}/usr/share/"),
}
"""What an empty base can be given from the build stage, and how."""


class GoStages:
    """A Go candidate's stages. `context` is the folder that `docker build` is given (the strategy's, or the repository
    where the sources lie beside it), `path` the binary's in the image."""

    def __init__(
        self,
        strategy: Strategy,
        candidate: Candidate,
        locked: LockedGo,
        *,
        digests: Mapping[str, str],
        platform: Platform,
    ) -> None:
        self._module = find_module(strategy.directory, candidate)
        self._package = find_main_package(self._module, candidate, platform.architecture)
        self._name = binary_name(self._module, self._package)
        self._candidate = candidate
        self._digests = digests
        self._locked = locked
        directory = strategy.directory.resolve()
        self.context = directory if self._module.copy_root.is_relative_to(directory) else self._module.repository
        self.path = f"{WORKING_DIRECTORY}/{self._name}"

    def lines(self) -> list[str]:
        """Everything from the first FROM to the COPY of the binary; what runs it is the caller's."""
        candidate = self._candidate
        build = _build_image(candidate, self._locked, self._digests)
        lines = build.from_line(name="build", build_platform=True)
        if isinstance(candidate.base, ScratchBase):
            lines += _root_files(build, candidate.runtime_packages)
        lines += _toolchain(build, self._locked)
        lines += _sources(self._module, self.context)
        lines += _compile(self._module, self._package, self._name)
        lines += ["", *self._runtime()]
        return [*lines, text.copy([f"{_OUTPUT}/{self._name}"], self.path, stage="build")]

    def _runtime(self) -> list[str]:
        base, name = self._candidate.base, self._candidate.name
        if isinstance(base, ScratchBase):
            return ["FROM scratch", text.copy([f"{_ROOT}/"], "/", stage="build")]
        assert isinstance(base, PublishedBase)
        image = stage_image(base.reference, self._digests)
        packages = self._candidate.runtime_packages
        return [*image.from_line(), *prepared(image, packages, where=f'runtime-packages (candidate "{name}")')]


def _build_image(candidate: Candidate, locked: LockedGo, digests: Mapping[str, str]) -> StageImage:
    """The image that the toolchain names, with the whole version where such a tag is sure to exist."""
    official = f"golang:{locked.toolchain}-alpine"
    written = candidate.toolchain
    if written is None or re.fullmatch(r"(go)?\d[\w.]*", written):
        return stage_image(official, digests)
    words = parse_toolchain(written, f'toolchain (candidate "{candidate.name}")')
    name = re.match(r"(?P<name>[^@]*?)(?::[^/@]*)?(?:@.*)?$", written)
    assert name is not None
    # An image of one Alpine release ends with that release, so its newest patch may never have been built.
    if name["name"].rpartition("/")[2] != "golang" or words.variant not in ("", "alpine", "bookworm", "trixie"):
        return stage_image(written, digests)
    variant = f"-{words.variant}" if words.variant else ""
    return stage_image(written, digests, tag_of=f"{name['name']}:{locked.toolchain}{variant}")


def _root_files(build: StageImage, packages: Sequence[str]) -> list[str]:
    """The files of an otherwise empty root: the user, /tmp, certificates, time zones."""
    wanted = [name for name in packages if name in _FROM_ASSEMBLER]
    missing = [name for name in packages if name not in _FROM_ASSEMBLER]
    commands = install_commands(build, wanted) if build.packages else []
    commands += [
        f"mkdir -p {_ROOT}/etc {_ROOT}/tmp {_ROOT}/home/nonroot",
        f"chmod 1777 {_ROOT}/tmp",
        f"chown 65532:65532 {_ROOT}/home/nonroot",
        _printf(PASSWD, f"{_ROOT}/etc/passwd"),
        _printf(GROUP, f"{_ROOT}/etc/group"),
    ]
    for name in wanted:
        commands += [command.format(root=_ROOT) for command in _FROM_ASSEMBLER[name]]
    lines = ["# What the empty base lacks: " + ", ".join(["a user", "/tmp", *wanted]) + "."]
    if missing:
        lines.append(f"# Not to be had without a distribution: {', '.join(missing)}.")
    return [*lines, *(install_pragma(build, wanted) if build.packages else []), text.run(*commands)]


def _printf(content: str, path: str) -> str:
    words = "".join(f" \\\n        {text.shell_word(line)}" for line in content.splitlines())
    return f"printf '%s\\n'{words} \\\n        > {path}"


def _sources(module: GoModuleFolder, context: Path) -> list[str]:
    """Module files before sources, so that the downloads stay cached until they change."""
    build_arguments = ["ARG TARGETOS", "ARG TARGETARCH"]
    root = _inner(module.copy_root, context)
    if module.vendored:  # nothing to download
        return [*build_arguments, *_workdir(module), text.copy([f"{root}/" if root != "." else "."], f"{_SOURCES}/")]
    lines = [f"WORKDIR {_SOURCES}"] if module.copy_root == module.folder else _workdir(module)
    lines.append("# Modules first: this layer holds until go.mod or go.sum change.")
    for folder in _module_folders(module):
        names = [name for name in ("go.mod", "go.sum", "go.work", "go.work.sum") if (folder / name).is_file()]
        inner = _inner(folder, module.copy_root)
        target = (
            "./" if module.copy_root == module.folder else f"{_SOURCES}/" if inner == "." else f"{_SOURCES}/{inner}/"
        )
        lines.append(text.copy([_joined(_inner(folder, context), name) for name in names], target))
    lines.append(text.run("go mod download", mounts=[_MODULES]))
    target = "./" if module.copy_root == module.folder else f"{_SOURCES}/"
    return [*lines, text.copy([f"{root}/" if root != "." else "."], target), *build_arguments]


def _module_folders(module: GoModuleFolder) -> list[Path]:
    folders = {module.folder, *module.local_folders, *([module.workspace] if module.workspace else [])}
    return sorted(folder for folder in folders if (folder / "go.mod").is_file() or folder == module.workspace)


def _workdir(module: GoModuleFolder) -> list[str]:
    inner = _inner(module.folder, module.copy_root)
    return [text.workdir(_SOURCES if inner == "." else f"{_SOURCES}/{inner}")]


def _toolchain(build: StageImage, locked: LockedGo) -> list[str]:
    """Where the image's tag does not name the locked version, `go` itself fetches that."""
    tag = build.reference.partition("@")[0].rpartition(":")[2]
    if re.match(rf"{re.escape(locked.toolchain)}(-|$)", tag):
        return []
    return ["# The tag moves; the toolchain does not.", text.env({"GOTOOLCHAIN": f"go{locked.toolchain}"})]


def _compile(module: GoModuleFolder, package: str, name: str) -> list[str]:
    flags = [*BUILD_FLAGS, "-mod=vendor" if module.vendored else "-mod=readonly"]
    command = (
        "CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \\\n"
        f"    go build {' '.join(_flag(flag) for flag in flags)} \\\n"
        f"    -o {text.shell_word(f'{_OUTPUT}/{name}')} {text.shell_word(package)}"
    )
    comment = "# Static, without paths, commit, symbols or build id: the same bytes on every machine."
    return [comment, text.run(command, mounts=[_MODULES, _BUILDS])]


def _flag(flag: str) -> str:
    name, equals, value = flag.partition("=")
    return f'{name}{equals}"{value}"' if " " in value else flag


def _inner(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix()


def _joined(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
