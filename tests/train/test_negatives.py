"""Pictures without people that mislead a network are found again by a run, picture for picture."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from smap.cli import main
from smap.errors import DatasetError
from smap.train import DataSource, parse_config
from smap.train.negatives import find_negatives
from smap.train.pictures import BatchMaker, SceneSource

SIZE = (96, 64)


class Misled:
    """Sees a person wherever a picture is brighter than ``limit``; brighter pictures make it surer."""

    input_size, device = SIZE, "cpu"

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.seen: list[np.ndarray] = []

    def predict_batch(self, images: list[np.ndarray]) -> list[Any]:
        self.seen += images
        people = [int(image.mean() > self.limit) for image in images]
        return [n * [SimpleNamespace(score=float(image.mean()))] for n, image in zip(people, images, strict=True)]


def test_the_seeds_found_draw_the_pictures_that_misled(tmp_path: Path) -> None:
    source = DataSource("scenes", options={"letterbox_share": 0.5})
    everything = Misled(-1)
    every = find_negatives(source, lambda: everything, 20, first=3)  # type: ignore[arg-type, return-value]
    assert sorted(every) == list(range(3, 23))
    brightness = [image.mean() for image in everything.seen]
    assert every == [3 + int(i) for i in np.argsort(brightness)[::-1]]
    limit = float(np.median(brightness))
    seeds = find_negatives(source, partial(Misled, limit), 20, first=3, workers=2)  # type: ignore[arg-type]
    assert seeds == every[:10]

    (tmp_path / "seeds.json").write_text(json.dumps(seeds))
    options = {"letterbox_share": 0.5, "empty_share": 1.0}
    again = SceneSource(DataSource("scenes", options=options, seeds=str(tmp_path / "seeds.json")), SIZE)
    drawn = [again.picture(SIZE, np.random.default_rng(n)) for n in range(8)]
    assert len({sample.extra["seed"] for sample in drawn}) > 2
    for sample in drawn:
        assert len(sample) == 0
        np.testing.assert_array_equal(sample.image, everything.seen[sample.extra["seed"] - 3])


def test_a_run_draws_no_other_seeds(tmp_path: Path) -> None:
    (tmp_path / "seeds.json").write_text("[5]")
    config = parse_config(
        {
            "schedule": {"steps": 2},
            "phases": [{"until": 1.0, "size": [64, 64], "batch": 3}],
            "network": {"input_size": [64, 64], "training_width": 64},
            "data": [{"kind": "scenes", "seeds": str(tmp_path / "seeds.json"), "options": {"empty_share": 1.0}}],
            "drawing": "workers",
        }
    )
    images = BatchMaker(config)()(1).images  # type: ignore[union-attr]
    assert (images == images[0]).all()


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1.5]", "[-1]", "[true]"])
def test_a_file_that_is_no_list_of_seeds_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "seeds.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"seeds\.json must be a JSON list of"):
        SceneSource(DataSource("scenes", seeds=str(path)), SIZE)


def test_seeds_of_other_data_are_refused() -> None:
    with pytest.raises(ValueError, match="data seeds must be of scenes, got kind 'coco'"):
        DataSource("coco", path="x", seeds="seeds.json")
    with pytest.raises(ValueError, match="negatives must be of scenes"):
        find_negatives(DataSource("coco", path="x"), partial(Misled, 0), 1)  # type: ignore[arg-type]


def test_a_window_of_a_seed_is_part_of_its_picture() -> None:
    source = DataSource("scenes", options={"empty_share": 1.0})
    scenes = SceneSource(source, (96, 64))
    for seed in range(4):
        full, window = scenes.plan_seed((96, 64), seed), scenes.plan_seed((64, 32), seed)
        for name in ("tone", "lens", "motion", "quality"):
            np.testing.assert_array_equal(getattr(window.effects, name), getattr(full.effects, name))
        np.testing.assert_array_equal(window.lights, full.lights)


CONFIG = """
    network = { input_size = [96, 64], training_width = 96 }
    schedule = { steps = 1 }
    phases = [{ until = 1.0, size = [96, 64], batch = 1 }]
    [[data]]
    kind = "scenes"
    [[data]]
    kind = "scenes"
    options = { empty_share = %s }
    %s
"""


def test_the_command_writes_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = tmp_path / "run.toml", tmp_path / "negatives" / "seeds.json"
    command = ["negatives", str(config), "--out", str(out), "--count", "5", "--device", "cpu", "--quiet"]
    config.write_text(CONFIG % ("1.0", ""))
    for limit, found in ((-1, 5), (256, 0)):
        monkeypatch.setattr("smap.estimator.Estimator", lambda *_, limit=limit, **__: Misled(limit))
        assert main(command) == (0 if found else 1)
        said = capsys.readouterr().out
        if found:
            assert sorted(json.loads(out.read_text())) == list(range(5))
            assert "5 of 5 pictures without people mislead default" in said
            out.unlink()
        else:
            assert "none of 5 pictures" in said and not out.exists()
    config.write_text(CONFIG % ("0.5", ""))
    assert main(command) == 2
    assert "must have a [[data]] table of scenes with empty_share = 1.0" in capsys.readouterr().err
    assert main([*command[:2], "--out", str(tmp_path)]) == 2
    assert "out must be a file" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [0, 1])
def test_training_on_seeds_that_are_not_there_is_one_line(
    workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f"workers = {workers}\n" + CONFIG % ("1.0", f"seeds = '{tmp_path}/none.json'"))
    assert main(["train", str(config), "--out", str(tmp_path / "run"), "--device", "cpu", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert "none.json" in error and error.count("\n") == 1
