"""RefineNet: what it reads, what it leaves alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from smap.network import Judged, RefineNet, RefinerConfig
from smap.skeleton import SMAP15, Skeleton

from .test_hourglass import HAND


def refiner(**settings) -> RefineNet:
    torch.manual_seed(5)
    return RefineNet(RefinerConfig(**settings)).eval()


def people(count: int, joints: int = 15) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    joints_3d = torch.randn(count, joints, 3, generator=generator) * 0.3
    joints_3d[..., 2] += 4
    input_xy = joints_3d[..., :2] / joints_3d[..., 2:] * 400 + 200
    return input_xy, joints_3d, torch.rand(count, joints, generator=generator) < 0.7


def test_features_are_relative_to_the_anchor():
    input_xy, joints_3d, found = people(3)
    found[:, :3] = torch.tensor([[True, True, True], [True, True, False], [False, False, False]])
    found[2, 3:] = False
    net = refiner()
    anchor, usable = net.anchors(found)
    assert anchor[:2].tolist() == [2, 0]  # pelvis, else neck
    assert usable.tolist() == [True, True, False]
    features = net.features(input_xy, joints_3d, found, 400)
    torch.testing.assert_close(features[0, 0, 2:], joints_3d[0, 0] - joints_3d[0, 2])
    torch.testing.assert_close(features[0, 0, :2], (input_xy[0, 0] - input_xy[0, 2]) / 400)
    torch.testing.assert_close(features[1, 0], torch.cat([(input_xy[1, 0] + 0.5) / 400, joints_3d[1, 0]]))
    assert (features[~found] == 0).all()
    assert (features[2] == 0).all()


def test_refine_keeps_the_anchor_and_people_without_one():
    input_xy, joints_3d, found = people(6)
    found[:, 2] = torch.tensor([True, True, True, False, False, True])
    joints_3d[~found] = torch.nan
    input_xy[~found] = torch.nan
    out = refiner(anchor="root").refine(input_xy, joints_3d, found, 416)
    with_root = found[:, 2]
    assert torch.isfinite(out[with_root]).all()
    assert torch.equal(out[with_root, 2], joints_3d[with_root, 2])
    assert torch.equal(out[~with_root].nan_to_num(9), joints_3d[~with_root].nan_to_num(9))
    completed = refiner(anchor="nearest").refine(input_xy, joints_3d, found, 416)
    assert torch.isfinite(completed).all()


def test_a_corrected_anchor_moves_along_its_ray_and_takes_the_person_along():
    input_xy, joints_3d, found = people(5)
    found[:, 2] = True
    kept, corrected = refiner(), refiner(anchor_depth="corrected")
    corrected.load_state_dict(kept.state_dict())
    before, after = (net.refine(input_xy, joints_3d, found, 416) for net in (kept, corrected))
    farther = after[:, 2, 2] / before[:, 2, 2]
    assert ((farther - 1).abs() > 1e-3).all()
    torch.testing.assert_close(after[:, 2], before[:, 2] * farther[:, None])
    torch.testing.assert_close(after - after[:, 2:3], before - before[:, 2:3], atol=1e-5, rtol=1e-5)
    log = corrected(corrected.features(input_xy, joints_3d, found, 416))[:, 2, 2]
    torch.testing.assert_close(farther.log(), log, atol=1e-5, rtol=1e-4)


def test_people_do_not_touch_each_other():
    input_xy, joints_3d, found = people(5)
    found[:, 2] = True
    net = refiner()
    together = net.refine(input_xy, joints_3d, found, 416)
    alone = net.refine(input_xy[3:4], joints_3d[3:4], found[3:4], 416)
    torch.testing.assert_close(together[3:4], alone)


def test_canvas_size_does_not_matter():
    """The same view on a canvas twice as large: same features, so the same people."""
    input_xy, joints_3d, found = people(4)
    found[:, 2] = True
    net = refiner()
    larger = (input_xy + 0.5) * 2 - 0.5
    torch.testing.assert_close(
        net.refine(input_xy, joints_3d, found, 416), net.refine(larger, joints_3d, found, 832), rtol=1e-4, atol=1e-5
    )


def test_folded_is_the_same():
    net = refiner(anchor_depth="corrected")
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(layer.weight)
            torch.nn.init.normal_(layer.bias)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    input_xy, joints_3d, found = people(7)
    folded = net.folded()
    assert not any(isinstance(layer, torch.nn.BatchNorm1d) for layer in folded.modules())
    torch.testing.assert_close(
        folded.refine(input_xy, joints_3d, found, 416), net.refine(input_xy, joints_3d, found, 416)
    )
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


def judged(net: RefineNet, scores: torch.Tensor, scale: int = 1) -> Judged:
    """By ``people`` on a canvas that many times as large, everything but the found joints spoilt."""
    input_xy, _, _ = people(len(scores))
    refined_xy = (input_xy + 3 + 0.5) * scale - 0.5
    input_xy = ((input_xy + 0.5) * scale - 0.5).masked_fill((scores == 0)[..., None], torch.nan)
    return net.judge(input_xy, scores, refined_xy, 416 * scale)


def random_scores(count: int) -> torch.Tensor:
    found = people(count)[2]
    return torch.rand(count, 15, generator=torch.Generator().manual_seed(1)) * found


def test_weights_without_a_judge_do_not_judge():
    with pytest.raises(ValueError, match="refiner must have a judge, got weights without one"):
        judged(refiner(), random_scores(4))
    with pytest.raises(ValueError, match="judge must be positive widths, got"):
        RefinerConfig(judge=(0,))
    config = RefinerConfig(judge=(8, 4))
    assert RefinerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_judge_refuses_other_shapes():
    net = refiner(judge=(8,))
    with pytest.raises(ValueError, match=r"input_xy must be \(2, 15, 2\), got \(2, 14, 2\)"):
        net.judge(torch.zeros(2, 14, 2), torch.zeros(2, 15), torch.zeros(2, 15, 2), 416)


def test_a_judge_gives_probabilities_to_whoever_has_joints():
    scores = random_scores(6)
    scores[2] = 0
    net = refiner(anchor_depth="corrected", judge=(8, 8))
    sure = judged(net, scores).person_scores
    assert sure[2] == 0
    assert ((sure[[0, 1, 3, 4, 5]] > 0) & (sure[[0, 1, 3, 4, 5]] < 1)).all()
    assert sure[[0, 1, 3, 4, 5]].std() > 1e-4
    torch.testing.assert_close(judged(net.folded(), scores).person_scores, sure)
    torch.testing.assert_close(judged(net, scores, scale=2).person_scores, sure, rtol=1e-2, atol=1e-3)


def test_a_joint_is_between_its_peak_its_twins_and_the_refined_one():
    scores = random_scores(8)
    net = refiner(judge=(8, 8))
    input_xy, places = people(8)[0], judged(net, scores).input_xy
    assert places.isfinite().all()
    for p, row in enumerate(scores > 0):
        for joint, twin in enumerate(SMAP15.flipped_joints):
            choices = [input_xy[p, joint] + 3]  # the refined one
            choices += [input_xy[p, joint]] * bool(row[joint]) + [input_xy[p, twin]] * bool(row[twin] and twin != joint)
            low, high = torch.stack(choices).amin(0) - 1e-3, torch.stack(choices).amax(0) + 1e-3
            assert ((low <= places[p, joint]) & (places[p, joint] <= high)).all()
    torch.testing.assert_close((judged(net, scores, scale=2).input_xy + 0.5) / 2 - 0.5, places, atol=0.5, rtol=0)


def test_the_judge_decides_by_its_weights():
    """One that is sure of one choice puts all joints there."""
    net = refiner(judge=(8,))
    input_xy, refined_xy = people(2)[0], people(2)[0] + 5
    last = net.judge_layers[-1]
    torch.nn.init.zeros_(last.weight)
    for choice, expected in enumerate((input_xy, input_xy[:, list(SMAP15.flipped_joints)], refined_xy)):
        with torch.no_grad():
            last.bias.zero_()
            last.bias[1 + choice :: 3] = 100
        places = net.judge(input_xy, torch.ones(2, 15), refined_xy, 416).input_xy
        paired = [j for j, twin in enumerate(SMAP15.flipped_joints) if twin != j or choice != 1]
        torch.testing.assert_close(places[:, paired], expected[:, paired])


def test_whom_nobody_can_refine_stays_where_he_was_found():
    scores = random_scores(3)
    scores[:, 2] = torch.tensor([0.5, 0.0, 0.5])
    input_xy, joints_3d, _ = people(3)
    net = refiner(anchor="root", judge=(8,))
    missing = (scores == 0)[..., None]
    refined = net.refine(input_xy, joints_3d.masked_fill(missing, torch.nan), scores > 0, 416)
    look = net.judge(input_xy, scores, refined[..., :2] / refined[..., 2:] * 400 + 200, 416)
    twins = list(SMAP15.flipped_joints)
    seen = (scores > 0) | (scores > 0)[:, twins]
    assert 0 < look.person_scores[1] < 1
    assert torch.equal(look.input_xy[1].isfinite().all(-1), seen[1])
    assert look.input_xy[[0, 2]].isfinite().all()


def test_the_judge_looks_at_whoever_is_refined_in_part_wherever_he_stands():
    """Joints that have no refined place say nothing about the person's size or about peaks."""
    input_xy, refined_xy, scores = people(6)[0], people(6)[0] + 4, random_scores(6)
    refined_xy[:, 3:7] = torch.nan
    net = refiner(judge=(8,))
    looks = [net.choices(input_xy + shift, scores, refined_xy + shift) for shift in (0, 250)]
    here, there = (net.judge_features(*look, scores, 416) for look in looks)
    torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-4)
    away = here[:, 30:90].unflatten(1, (15, 4))
    assert (away[:, 3:7] == 0).all() and away[:, 7:].abs().sum() > 0
    assert (net.judge(input_xy, scores, refined_xy, 416).input_xy.isfinite().all(-1) == looks[0][1].any(-1)).all()


def test_the_judge_sees_what_its_docstring_says():
    """Person by person, in words."""
    input_xy, _, _ = people(5)
    scores = 2 * random_scores(5)
    refined_xy = input_xy + torch.randn(5, 15, 2, generator=torch.Generator().manual_seed(3)) * 20
    net = refiner(anchor_depth="corrected", judge=(8,))
    features = net.judge_features(*net.choices(input_xy, scores, refined_xy), scores, 416)
    assert features.shape == (5, 121)
    for row, score, place, refined in zip(features, scores, input_xy, refined_xy, strict=True):
        size = (refined - refined.mean(0)).norm(dim=1).mean() + 1
        away, far = torch.zeros(15, 2, 2), torch.zeros(15, 2)
        for joint, twin in enumerate(SMAP15.flipped_joints):
            for n, other in enumerate((joint, twin)):
                if score[other] > 0 and not (n == 1 and twin == joint):
                    v = place[other] - refined[joint]
                    away[joint, n] = 4 * v / (size + 4 * v.norm())
                    far[joint, n] = (1 + 4 * v.norm() / size).log()
        parts = [score.clamp(max=1), (score > 0).float(), away.flatten(), far.flatten(), (size / 416).log()[None]]
        torch.testing.assert_close(row, torch.cat(parts))


def test_nobody():
    net = refiner()
    assert net.refine(
        torch.zeros(0, 15, 2), torch.zeros(0, 15, 3), torch.zeros(0, 15, dtype=torch.bool), 416
    ).shape == (
        0,
        15,
        3,
    )


def test_other_skeletons_and_training():
    net = RefineNet(RefinerConfig(skeleton=HAND, hidden=(8,))).train()
    input_xy, joints_3d, found = people(4, 3)
    out = net(net.features(input_xy, joints_3d, found, 416))
    assert out.shape == (4, 3, 3)
    out.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_paper_size():
    assert sum(p.numel() for p in refiner().parameters()) == 159_469


def test_refuses():
    net = refiner()
    input_xy, joints_3d, found = people(2)
    with pytest.raises(ValueError, match=r"joints_3d must be \(2, 15, 3\), got \(2, 15, 2\)"):
        net.refine(input_xy, joints_3d[..., :2], found, 416)
    with pytest.raises(ValueError, match="hidden must"):
        RefinerConfig(hidden=())
    with pytest.raises(ValueError, match="anchor must"):
        RefinerConfig(anchor="pelvis")
    with pytest.raises(ValueError, match="anchor_depth must"):
        RefinerConfig(anchor_depth="moved")
    with pytest.raises(ValueError, match="known fields only"):
        RefinerConfig.from_dict({"depth": 1})


@pytest.mark.parametrize("skeleton", [SMAP15, HAND])
def test_config_survives_json(skeleton: Skeleton):
    config = replace(RefinerConfig(), skeleton=skeleton, hidden=(3, 4), anchor="root", anchor_depth="corrected")
    assert RefinerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
