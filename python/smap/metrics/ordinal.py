"""PCOD: are people in the right order of depth? (paper Sec. 4.3)"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAME_DEPTH_M = 0.3  # Sec. 4.3: "roughly the same (within 30cm)"


def _differences(predicted_z: NDArray[Any], true_z: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    predicted_z, true_z = np.asarray(predicted_z, np.float64), np.asarray(true_z, np.float64)
    if predicted_z.ndim != 1 or predicted_z.shape != true_z.shape:
        raise ValueError(
            f"predicted_z and true_z must be two (P,) root depths, got {predicted_z.shape} and {true_z.shape}"
        )
    known = np.isfinite(true_z)
    predicted_z, true_z = predicted_z[known], true_z[known]
    first, second = np.triu_indices(len(true_z), 1)
    return predicted_z[second] - predicted_z[first], true_z[second] - true_z[first]


def pcod_counts(
    predicted_z: NDArray[Any], true_z: NDArray[Any], *, same_m: float = SAME_DEPTH_M, release: bool = False
) -> tuple[int, int]:
    """``(right pairs, pairs)`` of one image, to be summed over images. Arguments as for ``pcod``."""
    predicted, true = _differences(predicted_z, true_z)
    if release:
        right = (predicted * true > 0) | ((abs(predicted) < same_m) & (abs(true) < same_m))
    else:
        right = _classes(predicted, same_m) == _classes(true, same_m)
    return int(right.sum()), len(true)


def _classes(differences: NDArray[np.float64], same_m: float) -> NDArray[np.float64]:
    """1 farther, -1 closer, 0 the same; an unknown depth (NaN) equals nothing and so is wrong."""
    return np.where(abs(differences) <= same_m, 0, np.sign(differences))


def pcod(predicted_z: NDArray[Any], true_z: NDArray[Any], *, same_m: float = SAME_DEPTH_M) -> float:
    """Percentage of correct ordinal depth relations of one image, the paper's three classes.

    Args:
        predicted_z, true_z: ``(P,)`` root depths of matched people in metres. A pair is closer, farther, or the same
            (within ``same_m``); the prediction is right when it falls into the true class. A person without a true
            depth makes no pairs; one without a predicted depth has only wrong ones.

    Returns:
        A share in [0, 1], NaN with fewer than two people. Over several images sum ``pcod_counts``.
    """
    right, pairs = pcod_counts(predicted_z, true_z, same_m=same_m)
    return right / pairs if pairs else float("nan")


def pcod_release(predicted_z: NDArray[Any], true_z: NDArray[Any], *, same_m: float = SAME_DEPTH_M) -> float:
    """The authors' variant (zju3dv/SMAP, lib/eval/util_smap/cal_ordinal.m), which is more lenient than their paper.

    A pair is right when the difference has the right sign, or when the true and the predicted difference both are
    smaller than ``same_m``. Arguments and result as for ``pcod``.
    """
    right, pairs = pcod_counts(predicted_z, true_z, same_m=same_m, release=True)
    return right / pairs if pairs else float("nan")
