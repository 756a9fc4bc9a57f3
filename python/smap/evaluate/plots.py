"""The paper's Figures 4 and 6 of one's own run, as PNG. Needs matplotlib (``pip install smap[plot]``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics import Scores
from .evaluation import Evaluation

CURVE_MM = np.arange(0, 1001, 10)  # Fig. 4: "roughly 100 % at a threshold of 1 m"
MOST_POINTS = 20_000


def pck_curves(scores: Scores, thresholds_mm: NDArray[Any] = CURVE_MM) -> dict[str, NDArray[np.float64]]:
    """Shares of matched people's joints below each threshold: PCK_root and PCK_rel (all joints but the root)."""
    matched = scores.people(scores.matched)
    root = matched.skeleton.root
    curves = {"PCK_root": matched.absolute_mm[:, root], "PCK_rel": np.delete(matched.relative_mm, root, axis=1)}

    def shares(errors: NDArray[Any]) -> NDArray[np.float64]:
        errors = np.sort(errors[~np.isnan(errors)].ravel())
        below = np.searchsorted(errors, thresholds_mm, side="right")
        return below / errors.size if errors.size else np.full(len(thresholds_mm), np.nan)

    return {name: shares(errors) for name, errors in curves.items()}


def plot(evaluation: Evaluation, folder: str | Path) -> list[Path]:
    """Write ``pck.png`` (Fig. 4) and ``root_depth.png`` (Fig. 6) where the data set has depths; returns their paths.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    matched = evaluation.scores.people(evaluation.scores.matched)
    known = np.isfinite(matched.root_m[:, 2]) & np.isfinite(matched.predicted_root_m[:, 2])
    if not known.any():
        return []
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("no plots were made, which need matplotlib: pip install smap[plot]") from error
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure((5, 3.6), layout="constrained")  # without pyplot: no display, no global state
    axes = figure.subplots()
    for name, shares in pck_curves(evaluation.scores).items():
        axes.plot(CURVE_MM / 1000, 100 * shares, label=name)
    axes.axvline(0.15, color="0.7", linewidth=1)
    axes.set(xlabel="threshold, m", ylabel="joints within the threshold, %", xlim=(0, 1), ylim=(0, 100))
    axes.set_title(f"{evaluation.name}: matched people")
    axes.legend(loc="lower right")
    figure.savefig(folder / "pck.png", dpi=120)

    predicted, true = matched.predicted_root_m[known, 2], matched.root_m[known, 2]
    kept = np.random.default_rng(0).permutation(len(true))[:MOST_POINTS]
    figure = Figure((4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    limit = float(np.percentile(np.concatenate([predicted, true]), 99.5)) * 1.05
    axes.scatter(predicted[kept], true[kept], s=4, alpha=0.4, linewidths=0)
    axes.plot([0, limit], [0, limit], "k--", linewidth=1)
    axes.set(xlabel="predicted root depth, m", ylabel="true root depth, m", xlim=(0, limit), ylim=(0, limit))
    axes.set_title(evaluation.name)
    figure.savefig(folder / "root_depth.png", dpi=120)
    return [folder / "pck.png", folder / "root_depth.png"]
