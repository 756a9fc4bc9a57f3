"""What the weights that come with the library must do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smap import SMAP15, Estimator
from smap.estimator import WEIGHTS
from smap.metrics import Protocol, evaluate_people
from smap.sample import Sample
from smap.synthetic import Pack, SceneConfig, render_scene

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "scene.jpg"
MAX_BYTES = 16_000_000


@pytest.fixture(scope="module")
def scenes(shared: Path) -> list[Sample]:
    """Pictures of people, motions and backgrounds that no training saw."""
    pack = Pack.load(shared / "scenes")
    return [render_scene(pack, SceneConfig(832, 512, split="val"), seed) for seed in range(24)]


def test_files_are_small() -> None:
    for name in ("default", "refiner"):
        assert 0 < (WEIGHTS / f"{name}.safetensors").stat().st_size < MAX_BYTES


def test_most_of_those_whose_pelvis_is_seen_are_found_the_right_way_round(scenes: list[Sample]) -> None:
    estimator = Estimator()
    people = [estimator.predict(s.image, s.camera) for s in scenes]
    figures = evaluate_people(people, scenes, Protocol(visible_root=True, min_height_px=36))
    assert figures["people"] > 30
    assert figures["recall"] > 0.88
    assert figures["precision"] > 0.78
    assert figures["left_right_accuracy"] > 0.75
    assert figures["root_depth_error_median"] < 0.11


def test_refiner_completes_everybody(scenes: list[Sample]) -> None:
    everybody = replace(Estimator().decode, min_person_score=0.0)
    refined, plain = Estimator(decode=everybody), Estimator(refiner=None, decode=everybody)
    missing = 0
    for sample in scenes[:6]:
        with_it, without = refined.predict(sample.image, sample.camera), plain.predict(sample.image, sample.camera)
        assert len(with_it) == len(without)
        assert np.isfinite(with_it.joints_3d).all()
        assert (np.diff(with_it.joints_3d[:, SMAP15.root, 2]) >= 0).all()  # near to far, by refined depths
        missing += int(np.isnan(without.joints_3d).any(-1).sum())
    assert missing > 0


def test_the_example_picture_has_people() -> None:
    assert len(Estimator().predict(EXAMPLE)) >= 1


def test_a_first_prediction_loads_nothing_it_does_not_need() -> None:
    """torch.compile alone takes a second to import."""
    code = (
        f"import sys, smap; smap.Estimator(device='cpu').predict({str(EXAMPLE)!r});"
        "needless = {'torch._dynamo', 'torch._inductor', 'sympy', 'matplotlib'} & set(sys.modules);"
        "assert not needless, needless"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nobody_is_found_where_nobody_is(shared: Path) -> None:
    """Low thresholds let things through that the refiner then knows for what they are."""
    pack, config = Pack.load(shared / "scenes"), SceneConfig(832, 512, split="val", empty_share=1.0)
    empty = [render_scene(pack, config, seed) for seed in range(60)]
    estimator = Estimator()
    assert estimator.decode.min_person_score > 0
    assert sum(len(estimator.predict(sample.image, sample.camera)) for sample in empty) <= 2
