"""What the paper measures (Sec. 4.3) and what it never counts: false people.

Pure functions on NumPy arrays; lengths go in as metres and come out in the unit their name says; shares are in [0, 1].
Two marks run through all of them: a joint that the truth does not have is NaN and judges nothing, a joint that the
prediction does not have is wrong where joints are counted (PCK) and left out where errors are averaged (MPJPE).
"""

from .matching import false_positives, match_bodies, match_joint_boxes, match_roots, precision, recall
from .ordinal import pcod, pcod_counts, pcod_release
from .pose import (
    auc,
    head_size_px,
    joint_errors_mm,
    left_right_counts,
    limb_lengths_m,
    mpjpe_mm,
    pck,
    pck_2d,
    rescale_limbs,
    root_error_mm,
)
from .score import PROTOCOLS, Protocol, Scores, score_image
from .summary import evaluate_people, mean_limbs_m, size_oracle_m, summarise, summarise_by_depth

__all__ = [
    "PROTOCOLS",
    "Protocol",
    "Scores",
    "auc",
    "evaluate_people",
    "false_positives",
    "head_size_px",
    "joint_errors_mm",
    "left_right_counts",
    "limb_lengths_m",
    "match_bodies",
    "match_joint_boxes",
    "match_roots",
    "mean_limbs_m",
    "mpjpe_mm",
    "pck",
    "pck_2d",
    "pcod",
    "pcod_counts",
    "pcod_release",
    "precision",
    "recall",
    "rescale_limbs",
    "root_error_mm",
    "score_image",
    "size_oracle_m",
    "summarise",
    "summarise_by_depth",
]
