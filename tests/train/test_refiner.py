from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import smap.train.refiner as refiner_training
from smap import SMAP15, DecodeConfig, Estimator
from smap.cli import main
from smap.estimator import recommended_decode
from smap.network import Hourglass, RefineNet, RefinerConfig, load_refiner, read_notes, save_network
from smap.synthetic import BuiltinPack, SceneConfig
from smap.synthetic.skeletons import random_skeletons
from smap.train.corrupt import Corruption, Found, _chains, corrupt, photograph
from smap.train.judge import average_precision, evaluate_judge, train_judge
from smap.train.predictions import Predicted
from smap.train.refiner import (
    CANDIDATES,
    RefinerTraining,
    Schedule,
    evaluate_refiner,
    refined_errors,
    train_refiner,
    validate_refiner,
)

from .tiny import tiny_network

GENTLE = Corruption(drop=0, cut=0, limb_drop=0, pixel_sd=0, wild=0, swap=0, limb_depth_sd=0, flatten=(1, 1), root_sd=0)


@pytest.fixture(scope="module")
def bodies() -> torch.Tensor:
    return torch.from_numpy(random_skeletons(BuiltinPack(), SceneConfig(), 300, np.random.default_rng(0)))


def photographed(bodies: torch.Tensor, config: Corruption) -> Found:
    generator = torch.Generator().manual_seed(0)
    return corrupt(*photograph(bodies, config, generator), SMAP15, config, generator)


def test_skeletons_are_people(bodies: torch.Tensor) -> None:
    assert bodies.shape == (300, 15, 3)
    assert (bodies[:, SMAP15.root] == 0).all()
    for (parent, child), mean in zip(SMAP15.limbs, SMAP15.limb_lengths, strict=True):
        length = (bodies[:, child] - bodies[:, parent]).norm(dim=-1).mean()
        assert float(length) == pytest.approx(mean, rel=0.5)


def test_chains_are_head_arms_and_legs() -> None:
    names = [[SMAP15.joints[j] for j in chain] for chain in _chains(SMAP15)]
    assert ["head_top"] in names
    assert ["left_shoulder", "left_elbow", "left_wrist"] in names
    assert ["right_hip", "right_knee", "right_ankle"] in names
    assert len(names) == 5


def test_without_corruption_the_truth_is_found(bodies: torch.Tensor) -> None:
    people = photographed(bodies, GENTLE)
    people = Found(*(t[people.found.all(1)] for t in people))  # a missing joint hides its limb's depth from the next
    torch.testing.assert_close(people.joints_3d[people.found], people.truth[people.found], rtol=1e-4, atol=1e-3)
    xy = people.input_xy[people.found]
    assert (xy >= 0).all()
    assert (xy[:, 0] < GENTLE.input_size[0]).all()
    assert (people.truth[..., 2] >= 0.3 - 1e-5).all()
    lengths = (people.truth[:, 1] - people.truth[:, 0]).norm(dim=-1)
    assert ((lengths > 0.1) & (lengths < 0.5)).all()  # cameras move people, they do not stretch them


def test_corruption_hides_and_moves(bodies: torch.Tensor) -> None:
    gentle, people = photographed(bodies, GENTLE), photographed(bodies, Corruption())
    assert people.found.float().mean() < 0.9 * gentle.found.float().mean()
    assert (people.found.sum(1) >= 2).all()
    errors = (people.joints_3d - people.truth).norm(dim=-1)[people.found]
    assert 0.02 < float(errors.median()) < 2


def test_depths_that_are_kept_are_off_as_found(bodies: torch.Tensor) -> None:
    people = photographed(bodies, Corruption())
    kept, corrected = (RefineNet(RefinerConfig(anchor_depth=how)).eval() for how in ("kept", "corrected"))
    rows, (anchor, _) = torch.arange(len(people.found)), kept.anchors(people.found)
    off = (people.truth[rows, anchor, 2] / people.joints_3d[rows, anchor, 2]).log()
    torch.testing.assert_close(refined_errors(kept, people, 416).depths, off)
    # What is learnt is what `refine` does.
    moved = corrected.refine(people.input_xy, people.joints_3d, people.found, 416)
    off = (people.truth[rows, anchor, 2] / moved[rows, anchor, 2]).log()
    torch.testing.assert_close(refined_errors(corrected, people, 416).depths, off, atol=1e-5, rtol=1e-4)


def test_errors_are_relative_to_the_anchor(bodies: torch.Tensor) -> None:
    people = photographed(bodies, GENTLE)
    people = Found(*(t[people.found.all(1)] for t in people))
    far = people._replace(joints_3d=people.joints_3d + torch.tensor([0.0, 0.0, 1.0]))
    figures = evaluate_refiner(RefineNet(RefinerConfig()).eval(), far, 416)
    assert figures["found_before_mm"] == pytest.approx(0, abs=1)
    assert figures["found_after_mm"] > 100


def test_learns_to_complete_and_is_the_same_every_time() -> None:
    config = RefinerTraining(
        schedule=Schedule(steps=60, peak=3e-3, warmup=5), batch=256, bodies=300, pictures=0, ema=0.9
    )
    errors: list[float] = []
    pack = BuiltinPack()
    one = train_refiner(pack, None, config, progress=False, observe=lambda step, error: errors.append(error))
    assert errors[-1] < 0.6 * errors[0]
    two = train_refiner(pack, None, config, progress=False)
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    figures = validate_refiner(one, pack, None, config, 0)
    assert figures["corrupted completed_mm"] < 400
    assert not one.training


def test_pictures_have_the_size_of_the_network() -> None:
    network = Hourglass(replace(tiny_network(), input_size=(96, 64))).eval()
    config = RefinerTraining(Schedule(steps=2), batch=16, bodies=50, pictures=1)
    refiner = train_refiner(BuiltinPack(), network, config, progress=False)
    validate_refiner(refiner, BuiltinPack(), network, config, 1)


def test_learns_how_far_a_depth_is_off() -> None:
    """Bodies of one size, whose height in the picture says how far they are."""
    config = RefinerTraining(
        schedule=Schedule(steps=150, peak=3e-3, warmup=5), batch=256, bodies=300, pictures=0, ema=0.9
    )
    config = replace(config, corruption=replace(GENTLE, root_sd=0.3))
    refiner = train_refiner(BuiltinPack(), None, config, progress=False)
    figures = validate_refiner(refiner, BuiltinPack(), None, config, 0)
    assert figures["corrupted depth_before_percent"] > 15
    assert figures["corrupted depth_after_percent"] < 0.6 * figures["corrupted depth_before_percent"]


def people_and_ghosts(bodies: torch.Tensor, count: int) -> Predicted:
    """Half of them are joints from anywhere; all have peaks of the same heights."""
    people = photographed(bodies, GENTLE)
    rows = torch.arange(count) % len(people.found)
    people = Found(*(t[rows] for t in people))
    generator = torch.Generator().manual_seed(2)
    nobody = (torch.arange(count) % 2 == 1)[:, None, None]
    width, height = GENTLE.input_size
    anywhere = torch.rand(count, 15, 2, generator=generator) * torch.tensor([width, height])
    spoilt = people.joints_3d + torch.randn(count, 15, 3, generator=generator)
    scores = (0.3 + 0.4 * torch.rand(count, 15, generator=generator)) * people.found
    return Predicted(
        torch.where(nobody, anywhere, people.input_xy),
        torch.where(nobody, spoilt, people.joints_3d),
        scores,
        people.truth.masked_fill(nobody, torch.nan),
        cameras_of(people),
    )


def cameras_of(people: Found) -> torch.Tensor:
    """From what they saw: ``(P, 4)``, their centre is the picture's."""
    width, height = GENTLE.input_size
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    rays = people.joints_3d[..., :2] / people.joints_3d[..., 2:] * people.found[..., None]
    focal = ((people.input_xy - centre) * rays).sum((1, 2)) / rays.square().sum((1, 2))
    return torch.cat([focal[:, None].expand(-1, 2), centre.expand(len(focal), 2)], 1)


class Rough(RefineNet):
    """A refiner that knows the truth to a few centimetres."""

    def refine(self, input_xy: torch.Tensor, joints_3d: torch.Tensor, found: torch.Tensor, width: int) -> torch.Tensor:
        return self.truth + 0.05 * torch.randn(self.truth.shape, generator=torch.Generator().manual_seed(4))


def on_the_wrong_leg(bodies: torch.Tensor, generator: torch.Generator) -> Predicted:
    """Some joints are where their twins are, or have changed places with them."""
    people = photographed(bodies, replace(GENTLE, pixel_sd=0.01))
    twins = list(SMAP15.flipped_joints)
    wrong = torch.rand(people.found.shape, generator=generator) < 0.15
    wrong |= wrong[:, twins] & (torch.rand(len(wrong), 1, generator=generator) < 0.5)
    seen = torch.where(wrong[..., None], people.input_xy[:, twins], people.input_xy)
    scores = 0.5 * torch.where(wrong, people.found[:, twins], people.found)
    return Predicted(seen, people.joints_3d, scores, people.truth, cameras_of(people))


def test_learns_which_joints_lie_on_the_wrong_leg(bodies: torch.Tensor) -> None:
    """Better than the peaks and than the refined joints, of which it has a choice."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    refiner = Rough(RefinerConfig(judge=(64, 64)))
    seen, others = (on_the_wrong_leg(part, generator) for part in (bodies[:200].repeat(5, 1, 1), bodies[200:]))
    refiner.truth = seen.truth
    train_judge(refiner, seen, GENTLE.input_size[0], 1000, 256, generator)

    refiner.truth = others.truth
    refined_xy = others.project(refiner.refine(*others[:2], others.scores > 0, 0))
    look = refiner.judge(others.input_xy, others.scores, refined_xy, GENTLE.input_size[0])
    truth, found = others.project(others.truth), others.scores > 0
    peaks, refined, judged = ((xy - truth).norm(dim=-1)[found].mean() for xy in (others.input_xy, refined_xy, look[1]))
    assert judged < 0.8 * min(peaks, refined)
    figures = evaluate_judge(refiner, others, GENTLE.input_size[0])
    assert figures["left_right_after_percent"] > figures["left_right_before_percent"] + 15
    assert figures["pck_2d_before_percent"] < figures["pck_2d_after_percent"]


def test_learns_to_tell_people_from_ghosts(bodies: torch.Tensor) -> None:
    """Heights of peaks say nothing, how the joints lie does."""
    seen, others = people_and_ghosts(bodies, 600), people_and_ghosts(bodies.flip(0), 200)
    config = RefinerTraining(Schedule(steps=100, warmup=5), batch=128, bodies=200, ema=0.9, judge_steps=300)
    refiner = train_refiner(BuiltinPack(), None, config, predicted=seen, progress=False)
    assert not refiner.judge_layers.training
    refined = refiner.refine(others.input_xy, others.joints_3d, others.scores > 0, GENTLE.input_size[0])
    sure, _ = refiner.judge(others.input_xy, others.scores, others.project(refined), GENTLE.input_size[0])
    assert average_precision(others.scores.mean(1), others.real) < 0.7
    assert average_precision(sure, others.real) > 0.95
    assert sure[others.real].median() > 0.8 and sure[~others.real].median() < 0.2


def test_a_judge_needs_people_and_ghosts(bodies: torch.Tensor) -> None:
    config = RefinerTraining(Schedule(steps=1), batch=8, bodies=20, judge_steps=1)
    seen = people_and_ghosts(bodies, 20)
    for rows, settings in ((seen.real, config), (~seen.real, config), (seen.real | True, replace(config, judge=()))):
        chosen = Predicted(*(column[rows] for column in seen))
        refiner = train_refiner(BuiltinPack(), None, settings, predicted=chosen, progress=False)
        assert refiner.config.judge == ()


def test_the_command_recommends_what_goes_with_the_judge(tmp_path, monkeypatch, bodies: torch.Tensor) -> None:
    network, target = tmp_path / "network.safetensors", tmp_path / "refiner.safetensors"
    tiny = Hourglass(replace(tiny_network(), input_size=(96, 64)))
    save_network(tiny, network, notes={"decode": '{"peak_threshold": 0.4, "max_overlap": 0.6}'})
    monkeypatch.setattr(refiner_training, "predict_scenes", lambda *_, **__: people_and_ghosts(bodies, 20))
    command = ["train-refiner", "--weights", str(network), "--steps", "2", "--bodies", "50", "--quiet", str(target)]
    assert main([*command, "--min-person-score", "0.4"]) == 0
    refiner, notes = load_refiner(target), read_notes(target)
    assert len(refiner.config.judge) > 0
    assert float(notes["predicted average_precision_after_percent"]) <= 100
    expected = DecodeConfig(**CANDIDATES, max_overlap=0.6, min_person_score=0.4)
    assert recommended_decode(network, target) == expected
    assert Estimator(network, refiner=target, device="cpu").decode == expected


def test_average_precision() -> None:
    real = torch.tensor([True, False, True, True])
    assert average_precision(torch.tensor([0.9, 0.1, 0.8, 0.7]), real) == 1
    assert average_precision(torch.tensor([0.9, 0.8, 0.7, 0.1]), real) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_refined_errors_ignore_the_anchor(bodies: torch.Tensor) -> None:
    people = photographed(bodies, Corruption())
    refiner = RefineNet(RefinerConfig()).eval()
    anchor, _ = refiner.anchors(people.found)
    errors = refined_errors(refiner, people, 416).joints
    assert (errors[torch.arange(len(anchor)), anchor] == 0).all()


def test_command_writes_a_refiner(tmp_path, capsys) -> None:
    target = tmp_path / "refiner.safetensors"
    assert main(["train-refiner", str(target), "--steps", "3", "--pictures", "0", "--bodies", "200", "--quiet"]) == 0
    assert "corrupted completed_mm" in capsys.readouterr().out
    load_refiner(target)
    assert "corrupted found_after_mm" in read_notes(target)
    assert main(["train-refiner", str(tmp_path / "x.pt"), "--steps", "3"]) == 2
    assert "target must end in .safetensors" in capsys.readouterr().err


def test_what_the_network_found_is_kept_for_the_next_training(tmp_path, capsys, monkeypatch) -> None:
    network, kept = tmp_path / "network.safetensors", tmp_path / "kept" / "people.pt"
    save_network(Hourglass(replace(tiny_network(), input_size=(96, 64))), network)
    command = ["train-refiner", "--weights", str(network), "--steps", "2", "--bodies", "50", "--quiet"]
    command += ["--pictures", "2", "--validation", "1", "--predictions", str(kept)]

    assert main([*command, str(tmp_path / "one.safetensors")]) == 0
    assert kept.is_file()
    asked: list[int] = []
    predict = refiner_training.predict_scenes

    def predict_scenes(*arguments: object, **options: object) -> Predicted:
        asked.append(len(arguments[4]))
        return predict(*arguments, **options)

    monkeypatch.setattr(refiner_training, "predict_scenes", predict_scenes)
    assert main([*command, str(tmp_path / "two.safetensors")]) == 0
    assert asked == [1]  # for the validation
    one, two = (load_refiner(tmp_path / f"{name}.safetensors").state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)

    capsys.readouterr()
    assert main([*command, str(tmp_path / "x.safetensors"), "--seed", "1"]) == 2
    assert "predictions must be of this network, pack and settings, got others in" in capsys.readouterr().err
    assert main([*command[:1], *command[3:], str(tmp_path / "x.safetensors")]) == 2
    assert "predictions must come with weights and pictures" in capsys.readouterr().err
    kept.write_bytes(b"nonsense")
    assert main([*command, str(tmp_path / "x.safetensors")]) == 2
    assert str(kept) in capsys.readouterr().err
