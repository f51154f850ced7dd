"""What the documentation says is what the code does: flags, exit codes, keys, drivers, links, the layers."""

import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec
import pytest
from msgspec import inspect

from basewright.cli.main import basewright
from basewright.drivers.catalog import DRIVERS
from basewright.errors import ExitCode
from basewright.evidence.store import SCHEMA, EvidenceFile
from basewright.facts import Evidence
from basewright.lock import (
    Lock,
    LockedDeb,
    LockedDebian,
    LockedFile,
    LockedGo,
    LockedImage,
    LockedPython,
    LockedRelease,
    LockedRequirement,
)
from basewright.strategy import (
    ArchiveBase,
    Bench,
    Candidate,
    DebianBase,
    DecisionSettings,
    DriverSettings,
    GoApp,
    PythonApp,
    Service,
    Target,
    ValueFunction,
)
from basewright.strategy_file import parse_strategy
from basewright.view.document import EvaluationDocument

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/calendar-api/README.md")

pytestmark = pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="the documents are not here")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def documents() -> Iterator[Path]:
    yield from (ROOT / name for name in DOCUMENTS)
    yield from sorted((ROOT / "docs").rglob("*.md"))


def section(text: str, heading: str) -> str:
    """From a heading to the next one of its level."""
    level = heading.split(" ", maxsplit=1)[0]
    start = text.index(f"{heading}\n") if f"{heading}\n" in text else text.index(heading)
    end = text.find(f"\n{level} ", start + 1)
    return text[start : end if end > 0 else len(text)]


def verbs() -> dict[str, click.Command]:
    context = click.Context(basewright)
    found = {name: basewright.get_command(context, name) for name in basewright.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def flags(command: click.Command) -> set[str]:
    options = (each for each in command.params if isinstance(each, click.Option))
    return {flag for each in options for flag in (*each.opts, *each.secondary_opts)}


def test_every_command_and_every_flag_is_in_the_readme_and_nothing_else() -> None:
    commands = section(text_of("README.md"), "## Commands")
    assert set(re.findall(r"`basewright (\w+)", commands)) == set(verbs())
    named = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)", commands))
    assert named == {flag for command in verbs().values() for flag in flags(command)}


def test_the_readme_says_which_command_has_which_flag() -> None:
    rows = re.findall(r"^\| (`-.*?) \| ([a-z, ]+) \|", section(text_of("README.md"), "## Commands"), re.MULTILINE)
    assert rows
    measuring = {name: flags(command) for name, command in verbs().items() if name != "completion"}
    for words, of in rows:
        for flag in re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", words):
            owners = {name for name, known in measuring.items() if flag in known}
            assert owners == (set(measuring) if of == "all" else set(of.split(", "))), flag


def test_every_exit_code_is_in_the_readme() -> None:
    rows = re.findall(r"^\| (\d+) \|", section(text_of("README.md"), "## Commands"), re.MULTILINE)
    assert [int(each) for each in rows] == [code.value for code in ExitCode]
    told = basewright.help or ""
    assert all(re.search(rf"\b{code.value} ", told) for code in ExitCode)


def keys_of(*records: type[msgspec.Struct]) -> set[str]:
    return {name.replace("_", "-") for record in records for name in record.__struct_fields__}


def test_the_readmes_strategy_shows_every_key() -> None:
    block = re.search(r"```toml\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert block is not None
    words = set(re.findall(r"[a-z][a-z-]*", block[1]))
    records = (
        Service, Candidate, PythonApp, GoApp, DebianBase, ArchiveBase, DriverSettings, ValueFunction, DecisionSettings,
        Target, Bench,
    )  # fmt: skip
    assert keys_of(*records) - words == set()


def test_the_readmes_strategy_is_one_and_states_the_defaults(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert block is not None
    strategy = parse_strategy(block[1].encode(), tmp_path / "basewright.toml")
    assert strategy.bench == Bench()
    assert strategy.target.region == Target().region
    assert strategy.service.start_timeout == Service(name="a", port=1).start_timeout


def test_the_readmes_drivers_are_the_catalogues() -> None:
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (less|more) \|", text_of("README.md"), re.MULTILINE)
    assert [(name, better) for name, _, better in rows] == [(each.name, each.better) for each in DRIVERS.values()]
    for (name, headline, _), driver in zip(rows, DRIVERS.values(), strict=True):
        words = {"s": "seconds", "%": "(%)", "days": "days", "MB": "(MB)", "USD": "(USD)", "points": "(points)"}
        assert words[driver.unit] in headline, name


def structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    """Every record that a type reaches."""
    match kind:
        case inspect.StructType():
            yield kind
            for field in kind.fields:
                yield from structs(field.type)
        case inspect.UnionType():
            for each in kind.types:
                yield from structs(each)
        case inspect.ListType() | inspect.VarTupleType():
            yield from structs(kind.item_type)
        case inspect.DictType():
            yield from structs(kind.value_type)
        case _:
            return


def test_every_key_of_the_json_document_is_documented_and_nothing_else() -> None:
    tables = re.findall(r"^\| `(\w+)` \|", text_of("docs/evaluate-json.md"), re.MULTILINE)
    reached = list(structs(inspect.type_info(EvaluationDocument)))
    known = {field.encode_name for each in reached for field in each.fields}
    assert set(tables) == known


def paragraph_keys(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def test_the_locks_keys_are_documented() -> None:
    text = section(text_of("docs/lock-and-evidence.md"), "## `basewright.lock`")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(Lock.__struct_fields__)
    records: Iterable[type[msgspec.Struct]] = (
        LockedImage, LockedDebian, LockedRelease, LockedDeb, LockedPython, LockedRequirement, LockedFile, LockedGo,
    )  # fmt: skip
    for record in records:
        assert set(record.__struct_fields__) <= paragraph_keys(text), record


def test_the_evidences_keys_are_documented() -> None:
    text = section(text_of("docs/lock-and-evidence.md"), "## `.basewright/evidence")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(EvidenceFile.__struct_fields__)
    assert set(Evidence.__struct_fields__) <= paragraph_keys(text)
    assert f"`{SCHEMA}`" in text


def test_links_lead_somewhere() -> None:
    for document in documents():
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    for document in documents():
        named = re.findall(r"(?:`|^    )make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, document.name


def test_the_architectures_layers_are_the_contracts() -> None:
    """In the contract's order; a row may hold several layers."""
    contract = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]["layers"]
    place = {name: at for at, line in enumerate(contract) for name in re.findall(r"(?<!\()\b\w+\b(?!\))", line)}
    table = section(text_of("ARCHITECTURE.md"), "## The layers")
    rows = [re.findall(r"`(\w+)`", cells) for cells in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)]
    assert sorted(name for row in rows for name in row) == sorted(place)
    places = [sorted(place[name] for name in row) for row in rows]
    assert all(above[-1] < below[0] for above, below in itertools.pairwise(places))


def test_paths_of_modules_that_documents_name_exist() -> None:
    for document in documents():
        text = document.read_text(encoding="utf-8")
        for name in re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text):
            where = (ROOT / "src/basewright" / name, ROOT / name)
            assert any(each.exists() for each in where), f"{document.name}: {name}"
