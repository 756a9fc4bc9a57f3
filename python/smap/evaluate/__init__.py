"""The paper's tables as functions: predict a data set, measure it by its own protocol, report beside the paper."""

from ..metrics import evaluate_people
from .ablate import Row, ablate, ablation_json, ablation_markdown, rows_of
from .evaluation import Evaluation
from .plots import pck_curves, plot
from .report import markdown, to_json
from .run import EstimatorSpec, Predictor, evaluate, evaluate_stored
from .scenes import SceneDataset
from .stored import (
    AuthorsPredictions,
    MatPredictions,
    Predictions,
    PredictionWriter,
    StoredPredictions,
    open_predictions,
)

__all__ = [
    "AuthorsPredictions",
    "EstimatorSpec",
    "Evaluation",
    "MatPredictions",
    "PredictionWriter",
    "Predictions",
    "Predictor",
    "Row",
    "SceneDataset",
    "StoredPredictions",
    "ablate",
    "ablation_json",
    "ablation_markdown",
    "evaluate",
    "evaluate_people",
    "evaluate_stored",
    "markdown",
    "open_predictions",
    "pck_curves",
    "plot",
    "rows_of",
    "to_json",
]
