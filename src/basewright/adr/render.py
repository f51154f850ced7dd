"""An evaluation as an architecture decision record, MADR 4. Pure.

What changes when it is measured again stands in marked regions (`outcome`, `evidence`, `options`); the rest is written
once and belongs to people. The status is `proposed`: a tool accepts nothing in anybody's name.
"""

from collections.abc import Mapping, Sequence

import msgspec

from basewright.adr.evidence_table import driver_tables, ranking_table
from basewright.adr.option import consequences, option_section
from basewright.adr.region import marker_word, render_region
from basewright.strategy import Strategy
from basewright.view.evaluation import EvaluationView
from basewright.view.lifecycle import end_sentence
from basewright.view.markdown import code, escape_text
from basewright.view.number import DASH, format_score
from basewright.view.sentence import (
    ahead_text,
    could_overturn,
    first_text,
    flips,
    not_ranked,
    notes,
    provenance,
    sentence,
    sources,
    tie_reason,
    tied_names,
    unmeasured,
)
from basewright.view.wording import driver_title, join_words, measure_meaning, option_text

KINDS = ("outcome", "evidence", "options")


class RecordContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a record must know of where it stands. Paths are relative to the repository, with `/`."""

    id: str
    evidence_name: str
    strategy_path: str
    supersedes_file: str | None = None
    """The name of the superseded record's file, where it lies in the same directory."""


def record_title(view: EvaluationView, strategy: Strategy) -> str:
    """The strategy's title for the decision, else the question and its answer."""
    if strategy.decision.title is not None:
        return strategy.decision.title
    answer = view.winner or f"a tie between {join_words(view.tie)}"
    return f"Container base image of {view.service}: {answer}"


def decision_key(view: EvaluationView) -> str:
    """What was decided, in one word: the winner, or the names of a tie. Another key makes another record."""
    return view.winner or "+".join(sorted(view.tie))


def render_record(view: EvaluationView, strategy: Strategy, context: RecordContext) -> str:
    """A whole new record, with LF and a newline at its end."""
    regions = render_regions(view, strategy, context)
    return "\n".join(
        [
            f'---\nstatus: "proposed"\ndate: {view.evaluated_at:%Y-%m-%d}\n---\n',
            f"# {escape_text(record_title(view, strategy))}\n",
            f"## Context and Problem Statement\n\n{_context(view)}",
            f"## Decision Drivers\n\n{_drivers(view, strategy)}",
            f"## Considered Options\n\n{_options(strategy)}",
            f"## Decision Outcome\n\n{regions['outcome']}",
            f"### Confirmation\n\n{regions['evidence']}",
            f"## Pros and Cons of the Options\n\n{regions['options']}",
            f"## More Information\n\n{_more(view, context)}",
        ]
    )


def render_regions(view: EvaluationView, strategy: Strategy, context: RecordContext) -> dict[str, str]:
    """The marked regions by kind, markers included."""
    bodies: Mapping[str, str] = {
        "outcome": _outcome(view),
        "evidence": _evidence(view, context),
        "options": _pros_and_cons(view, strategy),
    }
    attributes = {"id": context.id, "decision": marker_word(decision_key(view))}
    return {kind: render_region(kind, attributes, bodies[kind]) for kind in KINDS}


def bullets(items: Sequence[str]) -> str:
    """A list of items that are Markdown already."""
    return "".join(f"- {item}\n" for item in items)


def _context(view: EvaluationView) -> str:
    platforms = join_words(dict.fromkeys(row.platform for row in view.rows))
    text = (
        f"{escape_text(view.service)} needs a container base image for {platforms}, to run on AWS Fargate in "
        f"{escape_text(view.region)}. Every option was built with the service in it, run and measured as far as it "
        "could be; this record compares them by the drivers below and by nothing else.\n"
    )
    answered = view.supersedes
    if view.previous is not None:
        answered = f"{view.previous[0]} of {view.previous[1]}"
    if answered is not None:
        text += f"\nThis record answers {escape_text(answered)}."
        if view.previous is not None:
            for end in (end for end in view.ends if end.passed(view.previous[1])):
                text += f" {escape_text(sentence(end_sentence(end, view.as_of, view.previous)))}"
        text += "\n"
    return text


def _drivers(view: EvaluationView, strategy: Strategy) -> str:
    required: dict[str, list[str]] = {}
    for requirement in strategy.requirements:
        required.setdefault(requirement.driver, []).append(requirement.text)
    lines = []
    for driver in view.drivers:
        cell = view.measured_cell(driver)
        line = driver_title(driver)
        if cell is not None:
            line += f": {escape_text(measure_meaning(driver, cell.measure, cell.unit))}, {cell.better} is better"
        if view.weights.get(driver, 1.0) != 1:
            line += f"; weight {view.weights[driver]:g}"
        for text in required.get(driver, ()):
            line += f"; required: {code(text)}"
        lines.append(line)
    return bullets(lines)


def _options(strategy: Strategy) -> str:
    return bullets([f"{candidate.name}: {escape_text(option_text(candidate))}" for candidate in strategy.candidates])


def _outcome(view: EvaluationView) -> str:
    parts = [_chosen(view) + "\n"]
    overturn = could_overturn(view)
    if overturn:
        parts.append(f"This is open in one respect: {escape_text(overturn)}\n")
    changes = flips(view)
    if changes:
        parts.append("What would change the outcome:\n\n" + bullets([escape_text(change) for change in changes]))
    if view.winner is not None:
        found = bullets(list(consequences(view, view.row(view.winner))))
        if found:
            parts.append(f"### Consequences\n\n{found}")
    return "\n".join(parts)


def _chosen(view: EvaluationView) -> str:
    if view.winner is None:
        reason = tie_reason(view)
        return (
            f"Chosen option: none, because {tied_names(view)} tie{f': {reason}' if reason else ''}. "
            "The measurements leave the choice between them open; whoever accepts this record makes it."
        )
    scores = {name: format_score(score) for name, score in view.ranking}
    score = scores.get(view.winner, DASH)
    others = [name for name in scores if name != view.winner]
    if not others:
        return f'Chosen option: "{view.winner}", because it is the only option that could be ranked (score {score}).'
    second = others[0]
    first, ahead = first_text(view, view.winner), ahead_text(view, view.winner, second)
    return (
        f'Chosen option: "{view.winner}", because it has the highest score of the {len(scores)} options that could be '
        f"ranked: {score}; {second} follows with {scores[second]}. It comes first in {first} of {view.draws:,} draws "
        "that resample the measurements and vary each weight from half to double; at the given weights it is ahead of "
        f"{second} in {ahead} of them."
    )


def _evidence(view: EvaluationView, context: RecordContext) -> str:
    parts = [
        "The score is the weighted mean of the drivers, each valued from 0 to 1 between fixed reference points.\n",
        ranking_table(view),
        *driver_tables(view),
    ]
    missing = unmeasured(view)
    if missing:
        numbered = [f"{each.number}. {escape_text(sentence(f'{each.subject}: {each.reason}'))}\n" for each in missing]
        parts.append("Not measured, by the number in the tables:\n\n" + "".join(numbered))
    left_out = not_ranked(view)
    if left_out:
        parts.append("Not ranked:\n\n" + bullets([escape_text(text) for _, text in left_out]))
    ends = [escape_text(sentence(end_sentence(end, view.as_of, view.previous))) for end in view.ends]
    if ends:
        told = join_words(dict.fromkeys(end.source for end in view.ends if end.source))
        parts.append(
            "End of life:\n\n" + bullets(ends) + (f"\nThese dates are from {escape_text(told)}.\n" if told else "")
        )
    for title, lines in (("Notes", notes(view)), ("Rebuilds are dated by", sources(view))):
        if lines:
            parts.append(f"{title}:\n\n" + bullets([escape_text(line) for line in lines]))
    parts.append(_provenance(view, context))
    return "\n".join(parts)


def _provenance(view: EvaluationView, context: RecordContext) -> str:
    lock = f" Lock: {code(view.lock[:19])}." if view.lock else ""
    return (
        f"{escape_text(provenance(view))}{lock} Every figure with its samples, and all digests in full: "
        f"{code(context.evidence_name)}.\n"
    )


def _pros_and_cons(view: EvaluationView, strategy: Strategy) -> str:
    described = {candidate.name: option_text(candidate) for candidate in strategy.candidates}
    sections = []
    for row in (each for each in view.ordered if each.platform == view.platform):
        lines = bullets(list(option_section(view, row)))
        sections.append(
            f"### {row.name}\n\n{escape_text(sentence(described.get(row.name, row.option)))}\n"
            + (f"\n{lines}" if lines else "")
        )
    return "\n".join(sections)


def _more(view: EvaluationView, context: RecordContext) -> str:
    lines = []
    if view.supersedes is not None:
        name = escape_text(view.supersedes)
        link = f"[{name}]({context.supersedes_file})" if context.supersedes_file else name
        lines.append(f"Supersedes {link}, once this record is accepted.")
    lines.append(
        f"To measure again: {code(f'basewright evaluate {context.strategy_path}')}. The outcome stands as long as that "
        "names the same answer; another answer makes a new record."
    )
    lines.append(
        "The text between `basewright:begin` and `basewright:end` follows the measurements while nobody edits it; "
        "all other text belongs to the people who decide, the status above included."
    )
    return bullets(lines)
