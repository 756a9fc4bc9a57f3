"""The paper's figures, to print beside one's own: Tables 1 to 4 and 6 to 11, in the order of the columns there."""

from __future__ import annotations

MOON, OURS = "Moon et al. [22], paper", "SMAP, paper"

# Table 2 (and 6 to 9): MuPoTS-3D, percent; matched people, then all people.
MUPOTS_COLUMNS = (
    ("PCK_rel", "pck_rel"),
    ("PCK_abs", "pck_abs"),
    ("PCK_root", "pck_root"),
    ("AUC_rel", "auc_rel"),
    ("PCOD", "pcod"),
    ("PCK_rel, all", "pck_rel_all"),
    ("PCK_abs, all", "pck_abs_all"),
)
TABLE_2 = {
    MOON: (82.5, 31.8, 31.0, 40.9, 92.6, 81.8, 31.5),
    OURS: (80.5, 38.7, 45.5, 42.7, 97.0, 73.5, 35.4),
}

# Tables 6 to 9: MuPoTS-3D by sequence TS1 to TS20, SMAP's row.
SEQUENCE_TABLES = {
    "Table 6: PCK_abs, matched people": (
        "pck_abs",
        (
            *(42.1, 41.4, 46.5, 16.3, 53.0, 26.4, 47.5, 18.7, 36.7, 73.5),
            *(46.0, 22.7, 24.3, 38.9, 47.5, 34.2, 35.0, 20.0, 38.7, 64.8),
        ),
        38.7,
    ),
    "Table 7: PCK_rel, matched people": (
        "pck_rel",
        (
            *(89.9, 88.3, 78.9, 78.2, 87.6, 51.0, 88.5, 71.6, 70.3, 89.2),
            *(76.3, 82.0, 70.8, 65.2, 80.4, 91.6, 90.4, 83.4, 84.3, 91.2),
        ),
        80.5,
    ),
    "Table 8: PCK_abs, all people": (
        "pck_abs_all",
        (
            *(41.6, 33.4, 45.6, 16.2, 48.8, 25.8, 46.5, 13.4, 36.7, 73.5),
            *(43.6, 22.7, 21.9, 26.7, 47.1, 32.5, 31.4, 18.0, 33.8, 47.8),
        ),
        35.4,
    ),
    "Table 9: PCK_rel, all people": (
        "pck_rel_all",
        (
            *(88.8, 71.2, 77.4, 77.7, 80.6, 49.9, 86.6, 51.3, 70.3, 89.2),
            *(72.3, 81.7, 63.6, 44.8, 79.7, 86.9, 81.0, 75.2, 73.6, 67.2),
        ),
        73.5,
    ),
}

# Table 1: CMU Panoptic by activity, then the average; millimetres, PCOD in percent.
ACTIVITIES = ("Haggling", "Mafia", "Ultimatum", "Pizza")
TABLE_1 = {
    "MPJPE, mm": (
        "mpjpe_mm",
        {
            MOON: (89.6, 91.3, 79.6, 90.1, 87.6),
            "SMAP without RefineNet, paper": (71.8, 72.5, 65.9, 82.1, 73.1),
            OURS: (63.1, 60.3, 56.6, 67.1, 61.8),
        },
    ),
    "RtError, mm": (
        "root_error_mm",
        {MOON: (160.2, 151.9, 177.5, 127.7, 154.3), OURS: (84.7, 87.7, 91.2, 78.5, 85.5)},
    ),
    "PCOD, %": ("pcod", {MOON: (92.3, 93.7, 95.2, 94.2, 93.9), OURS: (97.8, 98.5, 97.6, 99.6, 98.4)}),
}

# Tables 3, 4 and 11: ablations. MuPoTS-3D: recall, PCK_root, PCK_abs, PCK_rel, PCOD; Panoptic: recall, 2DPCK; percent.
ABLATION_COLUMNS = (
    ("Recall", "recall"),
    ("PCK_root", "pck_root"),
    ("PCK_abs", "pck_abs"),
    ("PCK_rel", "pck_rel"),
    ("PCOD", "pcod"),
    ("2DPCK", "pck_2d"),
)
ABLATION_MUPOTS = {
    "full": (92.3, 45.5, 38.7, 80.5, 97.0),
    "paf": (92.1, 45.3, 38.6, 80.2, 96.5),
    "no refiner": (92.3, 45.5, 34.7, 70.9, 97.0),
    "No Normalization": (92.3, 5.7, 8.7, 78.9, 95.7),
    "No Multi-scale Supervision": (92.1, 45.2, 36.2, 75.4, 93.1),
    "Smaller Backbone": (91.1, 43.8, 35.1, 75.7, 96.4),
    "Root Depth Only": (85.0, 29.9, None, None, 88.3),
    "Root Depth + 2D Branches": (92.1, 43.6, None, None, 96.7),
}
ABLATION_PANOPTIC = {"full": (96.4, 93.1), "paf": (94.3, 92.4)}
# Supplement 3.2: mean root error on MuPoTS-3D, cm.
ROOT_ERROR_CM = {"full": 23.3, "default intrinsics": 67.0, "No Normalization": 120.0}

HUMAN36M_MPJPE_MM = {MOON: 54.4, OURS: 54.1}  # Table 10
