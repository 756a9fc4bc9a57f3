"""Reports: Markdown tables beside the paper's figures, and the same as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import paper
from .evaluation import Evaluation

DEPTH_EDGES_M = (0.0, 2.0, 4.0, 6.0, 8.0, 12.0, 20.0)
PERCENT, PLAIN = 100.0, 1.0

# Figures of any data set: label, key, factor, digits.
OVERVIEW = (
    ("Images", "images", PLAIN, 0),
    ("People asked for", "people", PLAIN, 0),
    ("People predicted", "predictions", PLAIN, 0),
    ("Recall, %", "recall", PERCENT, 1),
    ("Precision, %", "precision", PERCENT, 1),
    ("False people", "false_positives", PLAIN, 0),
    ("Left/right right, %", "left_right_accuracy", PERCENT, 1),
    ("2DPCK, half a head, %", "pck_2d", PERCENT, 1),
    ("2DPCK, all people, %", "pck_2d_all", PERCENT, 1),
    ("PCK_rel, %", "pck_rel", PERCENT, 1),
    ("PCK_abs, %", "pck_abs", PERCENT, 1),
    ("PCK_root, 15 cm, %", "pck_root", PERCENT, 1),
    ("PCK_root, 25 cm, %", "pck_root_25cm", PERCENT, 1),
    ("PCK_root, 50 cm, %", "pck_root_50cm", PERCENT, 1),
    ("AUC_rel, %", "auc_rel", PERCENT, 1),
    ("MPJPE, mm", "mpjpe_mm", PLAIN, 1),
    ("Root error, mean, mm", "root_error_mm", PLAIN, 1),
    ("Root error, median, mm", "root_error_median_mm", PLAIN, 1),
    ("Root depth error, median, %", "root_depth_error_median", PERCENT, 2),
    ("PCOD, %", "pcod", PERCENT, 1),
    ("PCOD as released, %", "pcod_release", PERCENT, 1),
)
BY_DEPTH = (
    ("People", "people", PLAIN, 0),
    ("Recall, %", "recall", PERCENT, 1),
    ("Root error, median, mm", "root_error_median_mm", PLAIN, 0),
    ("the oracle's", "oracle_root_error_median_mm", PLAIN, 0),
    ("PCK_root, 25 cm, %", "pck_root_25cm", PERCENT, 1),
    ("the oracle's", "oracle_pck_root_25cm", PERCENT, 1),
    ("MPJPE, mm", "mpjpe_mm", PLAIN, 0),
)


def number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def table(columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A Markdown table; every row is its name and its cells."""
    lines = ["| " + " | ".join(["", *columns]) + " |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]
    return "\n".join(lines)


def percent(value: float) -> float:
    return PERCENT * value


def markdown(evaluation: Evaluation) -> str:
    """The report of one run: the paper's tables for the paper's data sets, then all figures."""
    parts = [f"# {evaluation.name or 'Evaluation'}", _settings(evaluation)]
    format_name = evaluation.name.partition("=")[0]
    if format_name == "mupots":
        parts += mupots_tables(evaluation)
    elif format_name == "panoptic":
        parts += panoptic_tables(evaluation)
    elif format_name == "human36m":
        parts += [human36m_table(evaluation)]
    parts.append(overview(evaluation))
    if evaluation.figures["people"] and not math.isnan(evaluation.figures["oracle_root_error_mm"]):
        parts.append(depth_table(evaluation))
    if evaluation.missing:
        parts.append(f"{evaluation.missing} images have no prediction and count as empty.")
    if evaluation.skipped:
        parts.append(f"{evaluation.skipped} damaged records or images were left out:")
        parts += [f"- {message}" for message in evaluation.messages]
    return "\n\n".join(part for part in parts if part) + "\n"


def _settings(evaluation: Evaluation) -> str:
    # The heading names the data; None and [] are settings that nobody chose.
    chosen = {name: value for name, value in evaluation.settings.items() if name != "data" and value not in (None, [])}
    settings = ", ".join(f"{name} {value}" for name, value in chosen.items())
    return f"Protocol: {evaluation.rules}." + (f" Settings: {settings}." if settings else "")


def overview(evaluation: Evaluation) -> str:
    figures = evaluation.figures
    rows = []
    for label, key, factor, digits in OVERVIEW:
        oracle = figures.get(f"oracle_{key}")
        cells = [number(factor * figures[key], digits), "" if oracle is None else number(factor * oracle, digits)]
        rows.append((label, cells))
    note = (
        "Over matched people unless it says all. The oracle knows the picture and the pose but only the mean body size "
        "(`metrics.size_oracle_m`)."
    )
    return "## All figures\n\n" + table(["Measured", "Size-only oracle"], rows) + "\n\n" + note


def depth_table(evaluation: Evaluation) -> str:
    rows = []
    for figures in evaluation.by_depth(DEPTH_EDGES_M):
        if figures["people"]:
            cells = [number(factor * figures[key], digits) for _, key, factor, digits in BY_DEPTH]
            rows.append((f"{figures['near_m']:g} to {figures['far_m']:g} m", cells))
    return "## By depth\n\n" + table([label for label, *_ in BY_DEPTH], rows)


def mupots_tables(evaluation: Evaluation) -> list[str]:
    """Table 2 and Tables 6 to 9. Averages are over sequences, PCK_root over all people, as in the authors' scripts."""
    pooled = evaluation.figures["pck_root"]
    own = [pooled if key == "pck_root" else evaluation.average(key) for _, key in paper.MUPOTS_COLUMNS]
    rows = [(name, [number(v) for v in values]) for name, values in paper.TABLE_2.items()]
    rows.append(("This run", [number(percent(value)) for value in own]))
    parts = ["## Table 2: MuPoTS-3D\n\n" + table([label for label, _ in paper.MUPOTS_COLUMNS], rows)]
    parts.append(f"Recall {number(percent(evaluation.figures['recall']))} (paper: 92.3).")
    names = [f"TS{i}" for i in range(1, 21)]
    for title, (key, values, average) in paper.SEQUENCE_TABLES.items():
        measured = [evaluation.by_group.get(name, {}).get(key, math.nan) for name in names]
        rows = [
            (name, [number(value), number(percent(own_value))])
            for name, value, own_value in zip(names, values, measured, strict=True)
        ]
        rows.append(("Average", [number(average), number(percent(evaluation.average(key)))]))
        parts.append(f"## {title}\n\n" + table([paper.OURS, "This run"], rows))
    return parts


def panoptic_tables(evaluation: Evaluation) -> list[str]:
    """Table 1, and the Panoptic half of Table 4. Averages are over activities."""
    parts = []
    for title, (key, published) in paper.TABLE_1.items():
        factor = PERCENT if key == "pcod" else PLAIN
        own = [evaluation.by_group.get(name, {}).get(key, math.nan) for name in paper.ACTIVITIES]
        rows = [(name, [number(v) for v in values]) for name, values in published.items()]
        rows.append(("This run", [number(factor * v) for v in (*own, evaluation.average(key))]))
        parts.append(f"## Table 1: {title}\n\n" + table([*paper.ACTIVITIES, "Average"], rows))
    figures = evaluation.figures
    rows = [(name, [number(v) for v in values]) for name, values in paper.ABLATION_PANOPTIC.items()]
    rows.append(("This run", [number(percent(figures["recall"])), number(percent(figures["pck_2d"]))]))
    parts.append("## Table 4: CMU Panoptic\n\n" + table(["Recall", "2DPCK"], rows))
    return parts


def human36m_table(evaluation: Evaluation) -> str:
    rows = [(name, [number(value)]) for name, value in paper.HUMAN36M_MPJPE_MM.items()]
    rows.append(("This run", [number(evaluation.figures["mpjpe_mm"])]))
    return "## Table 10: Human3.6M\n\n" + table(["MPJPE, mm"], rows)


def to_json(evaluation: Evaluation) -> str:
    """All figures, in total and by group; NaN becomes null."""
    value = {
        "data": evaluation.name,
        "protocol": evaluation.rules,
        "settings": evaluation.settings,
        "figures": _plain(evaluation.figures),
        "groups": {name: _plain(figures) for name, figures in evaluation.by_group.items()},
        "averages_over_groups": _plain({key: evaluation.average(key) for key in evaluation.figures}),
        "by_depth": [_plain(row) for row in evaluation.by_depth(DEPTH_EDGES_M)],
        "missing": evaluation.missing,
        "skipped": evaluation.skipped,
        "messages": evaluation.messages,
    }
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _plain(figures: Mapping[str, float]) -> dict[str, Any]:
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
