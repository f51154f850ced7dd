"""Measures basewright against its peers and prints the ratios: `benchmarks/run.py --help`, and README.md beside it."""

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path

import loopback_registry
import peers
import rows
import table
from measure import measure

COMMAND = "python benchmarks/run.py --large --write"
RESULTS = Path(__file__).with_name("RESULTS.md")
INPUTS = {
    "calendar": "calendar",
    "calendar-edited": "calendar-edited",
    "packed.tar": "archive-packed",
    "plain.tar": "archive-plain",
}
LARGE_INPUTS = {"large": "large", "many": "many"}


def main() -> None:
    options = _options()
    work: Path = options.work.absolute()
    tell("looking for the peers")
    if options.install:
        peers.install(work / "peers", tell)
    programs = {name: peers.find(name, work / "peers") for name in ("syft", "skopeo", "umoci", "crane", "dive")}
    programs["docker-registry"] = shutil.which("docker-registry")
    facts = {
        "Machine": table.machine(),
        "Date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "Versions": _versions(programs),
    }
    make_inputs(work / "inputs", INPUTS | (LARGE_INPUTS if options.large else {}))
    with ExitStack() as stack:
        bench = rows.Bench(work=work, programs=programs, registry=_registry(stack, work, programs["docker-registry"]))
        chosen = [
            group
            for group in rows.groups(bench, with_large=options.large)
            if not options.only or any(group.key.startswith(each) for each in options.only)
        ]
        if bench.registry:
            _fill(bench, sorted({group.pulls for group in chosen} - {""}))
        results = []
        for group in chosen:
            tell(group.title)
            env = rows.base_environment(work)
            results.append((group, measure(group.commands, rounds=options.rounds, work=work, env=env, tell=tell)))
    document = table.render(results, facts=facts, command=COMMAND, rounds=options.rounds)
    sys.stdout.write(document)
    if options.write:
        RESULTS.write_text(document)


def _options() -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=cache / "basewright-benchmarks", help="keeps peers and inputs")
    parser.add_argument("--install", action="store_true", help="first fetch syft, crane and dive into the work folder")
    parser.add_argument("--large", action="store_true", help="also the images of 5 GB and of 500,000 files")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", metavar="KEY", help="groups whose key begins so: inspect, pull, diff, …")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} too")
    options = parser.parse_args()
    if options.write and (options.only or not options.large):
        parser.error(f"{RESULTS.name} holds everything: --write goes with --large and without --only")
    return options


def tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _versions(programs: Mapping[str, str | None]) -> str:
    said = {name: peers.version(name, program) for name, program in programs.items()}
    said = {"basewright": metadata.version("basewright"), "Python": platform.python_version(), **said}
    return ", ".join(f"{name} {version}" for name, version in said.items())


def make_inputs(folder: Path, wanted: Mapping[str, str]) -> None:
    """Makes what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    program = Path(__file__).with_name("inputs.py")
    for name, kind in wanted.items():
        if (folder / name).exists():
            continue
        tell(f"making {name}")
        partial = folder / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run((sys.executable, program, kind, partial), check=True, stdout=sys.stderr)
        partial.rename(folder / name)


def _registry(stack: ExitStack, work: Path, program: str | None) -> str:
    """The one that is pulled from; empty where there is none."""
    if program is None:
        return ""
    shutil.rmtree(work / "registry", ignore_errors=True)
    stack.callback(shutil.rmtree, work / "registry", ignore_errors=True)
    return stack.enter_context(loopback_registry.running(program, work / "registry"))


def _fill(bench: rows.Bench, names: list[str]) -> None:
    """Pushes what will be pulled: with skopeo where it is installed, so that others pushed what we pull."""
    skopeo = bench.programs["skopeo"]
    words = (skopeo, "copy", "--quiet", "--dest-tls-verify=false") if skopeo else (rows.OURS, "copy")
    for name in names:
        there = f"docker://{bench.registry}/{name}:latest"
        if subprocess.run((*words, bench.image(name), there), stdout=sys.stderr, check=False).returncode:
            tell(f"{name} could not be pushed: pulling it will fail")


if __name__ == "__main__":
    main()
