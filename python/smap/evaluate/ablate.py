"""Tables 3, 4 and 11: rows that need other settings are run, rows that need other weights say how to train them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data import Dataset
from ..metrics import Protocol as Rules
from . import paper
from .evaluation import Evaluation
from .report import number, percent, table
from .run import EstimatorSpec, Predictor, evaluate


@dataclass(frozen=True)
class Row:
    """One run of an ablation.

    Args:
        name: as in ``paper.ABLATION_MUPOTS`` where the paper has it.
        spec: how the estimator is built.
        known_cameras: whether it gets the data set's intrinsics.
    """

    name: str
    spec: EstimatorSpec
    known_cameras: bool = True


def rows_of(spec: EstimatorSpec, refined: bool) -> list[Row]:
    """The rows that need no training, from the paper's full model on.

    Args:
        spec: the weights and where to run them; association and refiner are what varies.
        refined: whether these weights have a refiner to leave out.
    """
    from ..decode import ASSOCIATIONS

    full = replace(spec, association="depth-aware")
    others = sorted(set(ASSOCIATIONS) - {"depth-aware"}, reverse=True)  # the paper's baseline first
    rows = [Row("full", full), *(Row(name, replace(spec, association=name)) for name in others)]
    if refined:
        # With the settings that the weights recommend for that.
        rows.append(Row("no refiner", replace(full, refiner=None, min_person_score=None)))
    rows.append(Row("default intrinsics", full, known_cameras=False))
    return rows


LABELS = {
    "full": "Full model: depth-aware association (DAPA)",
    "paf": "2-D association (2DPA, Table 4)",
    "optimal": "Optimal association (this library's)",
    "no refiner": "No RefineNet (Table 3)",
    "default intrinsics": "Focal length guessed (supplement 3.2)",
}

# Rows of the paper's tables that need weights of their own; evaluate them with `smap evaluate --weights`.
TRAINING = {
    "Smaller Backbone": "stages 1 instead of 3 (Table 3)",
    "No Normalization": "root depth Z instead of Z w / f (Table 3)",
    "No Multi-scale Supervision": "loss on the finest scale only (Table 3)",
    "Root Depth Only": "root depth and the root's heatmap only (Table 11)",
    "Root Depth + 2D Branches": "no limb depths (Table 11)",
}


def ablate(
    dataset: Dataset,
    rows: list[Row],
    *,
    name: str = "",
    rules: Rules | str = "bodies",
    batch: int = 4,
    workers: int = 0,
    folder: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    build: Callable[[Row], Callable[[], Predictor]] = lambda row: row.spec,
) -> dict[str, Evaluation]:
    """Evaluate every row on the same images; arguments as for ``evaluate``.

    Args:
        folder: where each row's predictions are kept (``<row>.jsonl``), so that an interrupted run can be resumed.
        build: makes a row's predictor.
    """
    results = {}
    for row in rows:
        file = None if folder is None else Path(folder) / f"{row.name.replace(' ', '-')}.jsonl"
        results[row.name] = evaluate(
            dataset,
            build(row),
            name=name,
            rules=rules,
            batch=batch,
            workers=workers,
            known_cameras=row.known_cameras,
            file=file,
            resume=resume and file is not None and file.exists(),
            settings={**(settings or {}), "row": row.name, **row.spec.settings()},
            progress=progress,
        )
    return results


def ablation_markdown(results: dict[str, Evaluation], name: str) -> str:
    """The rows beside the paper's, and what the other rows of the paper need."""
    format_name = name.partition("=")[0]
    published = {"mupots": paper.ABLATION_MUPOTS, "panoptic": {}}.get(format_name, {})
    own_rows = []
    for row, evaluation in results.items():
        figures = evaluation.figures
        cells = [number(percent(figures[key])) for _, key in paper.ABLATION_COLUMNS]
        own_rows.append((LABELS.get(row, row), [*cells, number(figures["root_error_mm"] / 10)]))
        if row in published:
            values = [number(value) for value in published[row]]
            own_rows.append(("- paper", [*values, "-", number(paper.ROOT_ERROR_CM.get(row))]))
        elif format_name == "panoptic" and row in paper.ABLATION_PANOPTIC:
            recall, flat = paper.ABLATION_PANOPTIC[row]
            own_rows.append(("- paper", [number(recall), "-", "-", "-", "-", number(flat), "-"]))
        elif format_name == "mupots" and row in paper.ROOT_ERROR_CM:
            own_rows.append(("- paper", ["-"] * 6 + [number(paper.ROOT_ERROR_CM[row])]))
    columns = [label for label, _ in paper.ABLATION_COLUMNS] + ["RtError, cm"]
    parts = [f"# Ablation on {name}", table(columns, own_rows)]
    parts.append(
        "The rows below need weights of their own (docs/evaluation.md trains them); their figures are published ones."
    )
    trained = []
    for row, what in TRAINING.items():
        values = [number(value) for value in paper.ABLATION_MUPOTS[row]]
        trained.append((f"{row}: {what}", [*values, "-", number(paper.ROOT_ERROR_CM.get(row))]))
    parts.append(table(columns, trained))
    return "\n\n".join(parts) + "\n"


def ablation_json(results: dict[str, Evaluation], name: str) -> str:
    rows = {
        row: {key: None if math.isnan(value) else value for key, value in evaluation.figures.items()}
        for row, evaluation in results.items()
    }
    return json.dumps({"data": name, "rows": rows}, indent=1, allow_nan=False) + "\n"
