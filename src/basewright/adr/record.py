"""Writes a decision's record and its evidence: a new one for a new decision, else only what is ours in the old one."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from basewright._disk import write_atomically
from basewright.adr.directory import (
    FoundRecord,
    Home,
    RecordDirectory,
    find_home,
    next_name,
    read_directory,
    record_number,
)
from basewright.adr.region import Region, marker_word, parse_regions, replace_regions
from basewright.adr.render import RecordContext, decision_key, record_title, render_record, render_regions
from basewright.errors import InputError
from basewright.facts import Machine
from basewright.strategy import Strategy
from basewright.view.document import CandidateDocument, DecisionDocument, encode_document, evaluation_document
from basewright.view.evaluation import EvaluationView

EVIDENCE_SCHEMA = "basewright.record-evidence/1"
EVIDENCE_SUFFIX = ".evidence.json"
_EVIDENCE = "evidence"


class RecordEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The file beside a record: what the decision rests on, with digests in full. No output of programs stands here."""

    schema: str
    record: str
    service: str
    evaluated_at: str
    as_of: str
    basewright: str
    runner: str
    machine: Machine
    seed: int
    lock: str
    weights: dict[str, float]
    decision: DecisionDocument
    candidates: list[CandidateDocument]


class _Ours(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was written for this strategy before."""

    record: FoundRecord
    regions: tuple[Region, ...]
    decision: str


def write_record(
    view: EvaluationView, strategy: Strategy, *, notify: Callable[[str], None] = lambda text: None
) -> tuple[Path, ...]:
    """Writes the record of a decision that stands, and its evidence; returns the paths of both, or nothing where no
    decision stands.

    The newest record of this strategy is kept where it says the same: only marked regions that nobody edited change,
    and the same evidence changes no byte. Another decision makes a new record and leaves the old one as it is.
    `notify` is told of regions left alone because somebody edited them. Raises InputError and OutOfReachError.
    """
    if not view.stands:
        return ()
    home = find_home(strategy.directory, strategy.decision.directory)
    directory = read_directory(home.path)
    identity = record_id(strategy, home)
    ours = _newest(directory, identity)
    if ours is not None and ours.decision == marker_word(decision_key(view)):
        return _update(view, strategy, home, directory, ours, notify)
    return _create(view, strategy, home, directory, identity)


def record_id(strategy: Strategy, home: Home) -> str:
    """What marks a strategy's records: its service, after its folder where that is not the repository's root."""
    folder = strategy.directory.resolve().relative_to(home.root).as_posix()
    service = strategy.service.name
    name = service if folder == "." else f"{folder}#{service}"
    if strategy.file_name != "basewright.toml":
        name = f"{name}@{strategy.file_name}"
    return marker_word(name)


def _newest(directory: RecordDirectory, identity: str) -> _Ours | None:
    found = None
    for record in directory.records:
        regions = tuple(each for each in parse_regions(record.text) if each.attributes.get("id") == identity)
        evidence = next((each for each in regions if each.kind == _EVIDENCE), None)
        if evidence is not None:
            found = _Ours(record=record, regions=regions, decision=evidence.attributes.get("decision", ""))
    return found


def _create(
    view: EvaluationView, strategy: Strategy, home: Home, directory: RecordDirectory, identity: str
) -> tuple[Path, ...]:
    title = record_title(view, strategy)
    answered = record_number(view.supersedes) if view.supersedes is not None else None
    reserved = () if answered is None else (answered,)
    name = next_name(directory, title, view.evaluated_at.date(), reserved=reserved)
    path = home.path / name
    if path.exists():
        raise InputError(f"{path.name} exists already", hint="another record took the name meanwhile: run again")
    context = _context(view, strategy, home, directory, identity, name)
    text = render_record(view, strategy, context)
    return _write(view, path, text.encode())


def _update(
    view: EvaluationView,
    strategy: Strategy,
    home: Home,
    directory: RecordDirectory,
    ours: _Ours,
    notify: Callable[[str], None],
) -> tuple[Path, ...]:
    path = ours.record.path
    identity = ours.regions[0].attributes["id"]
    rendered = render_regions(view, strategy, _context(view, strategy, home, directory, identity, path.name))
    replacements: dict[int, str] = {}
    for region in ours.regions:
        new = rendered.get(region.kind)
        if new is None:
            continue
        if region.untouched:
            replacements[region.first] = new
        elif parse_regions(new)[0].body != region.body:
            notify(
                f"{path.name}: the marked region `{region.kind}` was edited by hand, so it was left as it is; "
                "to have it follow the measurements again, undo the edit, or move your text out of the markers"
            )
            if region.kind == _EVIDENCE:
                return (path,)
    text = replace_regions(ours.record.text, replacements)
    mark = b"\xef\xbb\xbf" if ours.record.mark else b""
    return _write(view, path, mark + text.encode())


def _write(view: EvaluationView, path: Path, data: bytes) -> tuple[Path, ...]:
    """The evidence first: a record never refers to what is not there."""
    evidence = path.with_name(_evidence_name(path.name))
    for each in (path, evidence):
        if each.is_symlink():
            raise InputError(f"{each.name} is a symbolic link", hint="records are written to plain files")
    write_atomically(evidence, encode_document(_record_evidence(view, path.name)))
    write_atomically(path, data)
    return (path, evidence)


def _context(
    view: EvaluationView, strategy: Strategy, home: Home, directory: RecordDirectory, identity: str, name: str
) -> RecordContext:
    strategy_path = strategy.directory.resolve().relative_to(home.root)
    shown = strategy_path if strategy.file_name == "basewright.toml" else strategy_path / strategy.file_name
    return RecordContext(
        id=identity,
        evidence_name=_evidence_name(name),
        strategy_path=shown.as_posix(),
        supersedes_file=_superseded(directory, view.supersedes, name),
    )


def _superseded(directory: RecordDirectory, supersedes: str | None, own: str) -> str | None:
    """The file of the record that this one answers: by its name, else by its number where one file alone has it."""
    if supersedes is None:
        return None
    others = [record for record in directory.records if record.path.name != own]
    exact = [each.path.name for each in others if each.path.name in (supersedes, f"{supersedes}.md")]
    number = record_number(supersedes)
    found = exact or [each.path.name for each in others if number is not None and each.number == number]
    return quote(found[0]) if len(found) == 1 else None


def _evidence_name(name: str) -> str:
    return name.removesuffix(".md") + EVIDENCE_SUFFIX


def _record_evidence(view: EvaluationView, name: str) -> RecordEvidence:
    document = evaluation_document(view)
    return RecordEvidence(
        schema=EVIDENCE_SCHEMA,
        record=name,
        service=document.service,
        evaluated_at=document.evaluated_at,
        as_of=document.as_of,
        basewright=view.version,
        runner=document.runner,
        machine=document.machine,
        seed=document.seed,
        lock=document.lock,
        weights={str(driver): weight for driver, weight in view.weights.items()},
        decision=document.decision,
        candidates=[msgspec.structs.replace(each, output=msgspec.UNSET) for each in document.candidates],
    )
