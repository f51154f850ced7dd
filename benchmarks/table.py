"""The results as Markdown: the machine, the versions, the goals, a table for each group."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from measure import Measured, own_bytes
from rows import MEGABYTE, Group


def render(
    results: Sequence[tuple[Group, Sequence[Measured]]], *, facts: Mapping[str, str], command: str, rounds: int
) -> str:
    """The whole document."""
    lines = ["# How fast, against what", ""]
    lines += [
        "Whole processes, side by side in one run: each round starts every program of a table once, beginning with",
        f"another each time; {rounds} rounds (fewer where a row takes long) after one that is thrown away. Wall",
        "seconds are the median (least to most), CPU seconds the median, the peak that of the largest process in any",
        "round; ratios are medians of each round's ratio to the first row. Files are in the page cache for all. How it",
        "is done, and where the peers come from: [README.md](README.md). Made by:",
        "",
        f"    {command}",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        "## Goals",
        "",
        "| goal | figure | |",
        "|---|---:|---|",
    ]
    for group, rows in results:
        lines += _goals(group, {row.command.label: row for row in rows})
    for group, rows in results:
        lines += ["", f"## {group.title}", "", *([group.note, ""] if group.note else []), *_table(rows)]
    return "\n".join(lines) + "\n"


def _goals(group: Group, rows: Mapping[str, Measured]) -> list[str]:
    lines = []
    for goal in group.goals:
        figure = goal.measure(rows)
        if figure is None:
            shown, verdict = "", "not measured"
        else:
            shown = f"{figure:.0f} MB" if goal.unit == "MB" else f"{figure:.2f} {goal.unit}".replace(" x", "x")
            verdict = "met" if goal.is_met(figure) else "**missed**"
        lines.append(f"| {group.title}: {goal.text} | {shown} | {verdict} |")
    return lines


def _table(rows: Sequence[Measured]) -> list[str]:
    lines = ["| | wall s | CPU s | peak MB | wall, times the first |", "|---|---:|---:|---:|---:|"]
    for row in rows:
        walls = [sample.wall_seconds for sample in row.samples.values()]
        if row.failure or not walls:
            lines.append(f"| {row.command.label} | {row.failure or 'not run'} | | | |")
            continue
        spread = f" ({min(walls):.2f}–{max(walls):.2f})" if len(walls) > 1 else ""
        ratio = row.times_slower_than(rows[0])
        lines.append(
            f"| {row.command.label} | {row.median(lambda sample: sample.wall_seconds):.2f}{spread} "
            f"| {row.median(lambda sample: sample.cpu_seconds):.2f} "
            f"| {_peak(max(sample.peak_bytes for sample in row.samples.values()))} "
            f"| {f'{ratio:.2f}' if ratio is not None and row is not rows[0] else ''} |"
        )
    return lines


def _peak(peak_bytes: int) -> str:
    return f"{'≤ ' if peak_bytes <= own_bytes() else ''}{peak_bytes / MEGABYTE:.0f}"


def machine() -> str:
    """Processor, cores, memory and kernel; nothing that names the host."""
    processor = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    gibibytes = f"{int(memory[1]) / (1 << 20):.0f} GiB" if memory else "unknown memory"
    return (
        f"{processor[1] if processor else platform.machine()}, {os.cpu_count()} cores, {gibibytes}, "
        f"{platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f} at the start"
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
