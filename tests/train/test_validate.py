from __future__ import annotations

import numpy as np
import pytest
import torch

from smap import SMAP15
from smap.decode import DecodeConfig
from smap.errors import WeightsError
from smap.estimator import Estimator
from smap.network import Hourglass, load_network, save_network
from smap.train import Trainer
from smap.train.curve import read_curve
from smap.train.pictures import BatchMaker, validation_samples
from smap.train.validate import Validator, score, sheet

from ..data.miniatures import coco
from .tiny import tiny_config

VALIDATION = {"every": 2, "count": 3, "source": {"kind": "scenes", "split": "val"}}


def test_pictures_depend_on_their_number_alone() -> None:
    config = tiny_config(4, data=[{"kind": "scenes", "weight": 2}, {"kind": "scenes", "options": {"empty_share": 1.0}}])
    make = BatchMaker(config)()
    forwards = [make(step) for step in range(4)]
    again = BatchMaker(config)()
    for step in (3, 0, 2):
        for name, value in vars(again(step)).items():
            torch.testing.assert_close(value, getattr(forwards[step], name), rtol=0, atol=0, equal_nan=True, msg=name)
    assert forwards[0].images.shape == (3, 64, 32, 3)
    assert forwards[3].images.shape == (2, 64, 64, 3)
    assert len({float(b.images.double().mean()) for b in forwards}) == 4


def test_two_processes_make_different_pictures_and_together_those_of_one() -> None:
    phases = [{"until": 1.0, "size": [64, 64], "batch": 2}]
    whole = BatchMaker(tiny_config(4, phases=[phases[0] | {"batch": 4}]))()(1)
    halves = [BatchMaker(tiny_config(4, phases=phases), rank, 2)()(1) for rank in range(2)]
    torch.testing.assert_close(torch.cat([b.images for b in halves]), whole.images, rtol=0, atol=0)


def test_figures_of_an_untrained_network() -> None:
    config = tiny_config(validation=VALIDATION)
    samples = validation_samples(config)
    assert len(samples) == 3
    np.testing.assert_array_equal(samples[1].image, validation_samples(config)[1].image)
    figures = Validator(config, torch.device("cpu"), samples).run(Hourglass(config.network).eval())
    assert np.isfinite(figures["loss"])
    assert figures["recall"] == 0
    assert figures["score"] == 0


def test_sheet_shows_the_pictures_and_decoding_is_configured() -> None:
    config = tiny_config(validation=VALIDATION | {"decode": {"peak_threshold": 0.01, "min_joints": 1}})
    validator = Validator(config, torch.device("cpu"))
    validator.run(Hourglass(config.network).eval())
    assert validator.decoding.peak_threshold == 0.01
    assert len(validator.people) == 3
    assert sheet(validator).ndim == 3
    with pytest.raises(ValueError, match=r"validation\.decode must have known fields only"):
        Validator(tiny_config(validation=VALIDATION | {"decode": {"peaks": 1}}), torch.device("cpu"))


def test_score_of_perfection_is_one() -> None:
    names = ("recall", "precision", "pck_2d_all", "pck_rel_all", "pck_root_50cm")
    assert score(dict.fromkeys(names, 1.0)) == 1
    assert score(dict.fromkeys(names, float("nan"))) == 0


def test_run_validates_and_keeps_the_best(tmp_path) -> None:
    validation = VALIDATION | {"decode": {"min_joints": 4}}
    trainer = Trainer(tiny_config(4, validation=validation), tmp_path, device="cpu", progress=False)
    trainer.run()
    steps = [line["step"] for line in read_curve(tmp_path) if "val_loss" in line]
    assert steps == [2, 4]
    # The last weights are validated wherever a run ends, on the schedule or on the clock.
    ends = [({"steps": 3}, {}), ({"steps": 1000}, {"seconds": 0.0, "anneal": 1.0})]
    for number, (schedule, limits) in enumerate(ends):
        config = tiny_config(schedule=schedule, validation=validation | {"every": 1000})
        other = Trainer(config, tmp_path / str(number), device="cpu", progress=False)
        other.run(**limits)
        assert [line["step"] for line in read_curve(other.folder) if "val_loss" in line] == [other.step]
    best = tmp_path / "best.safetensors"
    assert Estimator(best).decode.min_joints == 4
    assert Estimator(best, decode=DecodeConfig()).decode.min_joints == DecodeConfig().min_joints
    save_network(load_network(best), best, notes={"decode": '{"peaks": 3}'})
    with pytest.raises(WeightsError, match="must recommend fields of DecodeConfig"):
        Estimator(best)


def test_a_run_without_validation_leaves_weights_too(tmp_path) -> None:
    trainer = Trainer(tiny_config(4), tmp_path, device="cpu", progress=False)
    trainer.run(until=2)
    first = load_network(tmp_path / "best.safetensors").state_dict()
    trainer.run()
    last = load_network(tmp_path / "best.safetensors").state_dict()
    assert any((first[key] != last[key]).any() for key in first)
    for key, value in trainer.ema.state_dict().items():
        torch.testing.assert_close(last[key], value, atol=1e-3, rtol=1e-3)


def test_data_sets_train_beside_scenes_and_keep_quiet_about_joints_they_lack(tmp_path) -> None:
    root = tmp_path / "coco"
    coco(root)
    data = [{"kind": "coco", "path": str(root), "options": {"augmentation": {"degrees": 5.0}}}]
    batch = BatchMaker(tiny_config(4, data=data))()(2)
    assert batch.images.shape == (2, 64, 64, 3)
    head = SMAP15.joints.index("head_top")
    assert not batch.annotated[:, head].any()
    assert batch.annotated.sum() == 2 * 14
    assert batch.depths.isnan().all()
    Trainer(tiny_config(4, data=data), tmp_path / "run", device="cpu", progress=False).run()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "films"}, "data kind must be one of scenes, coco"),
        ({"kind": "coco"}, "data path must name the folder of 'coco', got none"),
        ({"kind": "scenes", "options": {"colour": 1}}, "data.options must have known fields only"),
        ({"kind": "scenes", "path": "/nowhere"}, "must be the folder of a scene pack"),
    ],
)
def test_says_what_is_wrong_with_the_data(source, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchMaker(tiny_config(4, data=[source]))()
