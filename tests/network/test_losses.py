from __future__ import annotations

import math

import pytest
import torch

from smap import SMAP15
from smap.network import ROOT_LOG_OFFSET, ROOT_LOG_SCALE, NetworkConfig, RawMaps
from smap.network.losses import LossConfig, LossParts, ScaleTargets, network_loss

J, L, SIZE = SMAP15.num_joints, SMAP15.num_limbs, (6, 8)
NETWORK = NetworkConfig.small()
EVERYTHING = torch.ones(2, J, dtype=torch.bool)


def truth(seed: int = 0) -> ScaleTargets:
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(2, *shape, *SIZE, generator=generator)

    on_limb = uniform(L) < 0.3
    root = uniform()
    weight = torch.zeros(2, *SIZE)
    weight[:, 2, 3], weight[:, 2, 4] = 1, 0.35
    return ScaleTargets(
        uniform(J) ** 4,
        (uniform(L, 2) + 0.1) * on_limb[:, :, None],
        (uniform(L) - 0.5) * on_limb,
        3 + root,
        weight,
        torch.ones(2, *SIZE),
    )


def perfect(target: ScaleTargets, network: NetworkConfig = NETWORK) -> RawMaps:
    root = target.root_depth.clone()
    if network.root_depth == "log":
        root = ROOT_LOG_SCALE * torch.log(root) + ROOT_LOG_OFFSET
    depths = target.limb_depths.nan_to_num() * network.limb_depth_scale
    return RawMaps(target.heatmaps.clone(), target.pafs.clone(), depths, root)


def loss(maps: RawMaps, target: ScaleTargets, config: LossConfig | None = None, annotated=EVERYTHING) -> LossParts:
    """Of one stage with one scale, the finest."""
    return network_loss([[maps]], [[target]], annotated, NETWORK, config or LossConfig())


@pytest.mark.parametrize("config", [LossConfig(), LossConfig.release()], ids=["native", "release"])
@pytest.mark.parametrize("network", [NetworkConfig.small(), NetworkConfig.paper()], ids=["small", "paper"])
def test_truth_costs_nothing_and_every_head_something(config: LossConfig, network: NetworkConfig) -> None:
    target = truth()
    maps = perfect(target, network)
    assert network_loss([[maps]], [[target]], EVERYTHING, network, config).total == pytest.approx(0, abs=1e-5)
    for field in RawMaps._fields:
        wrong = maps._replace(**{field: getattr(maps, field) + 0.5})
        parts = network_loss([[wrong]], [[target]], EVERYTHING, network, config)
        assert getattr(parts, field) > 1e-3
        assert parts.total == pytest.approx(float(getattr(parts, field)), rel=1e-4)


def test_native_parts_are_what_the_formula_says() -> None:
    target, config = truth(), LossConfig()
    maps = RawMaps(
        *(torch.randn(t.shape, generator=torch.Generator().manual_seed(i)) for i, t in enumerate(target[:4]))
    )
    parts = loss(maps, target, config)
    h, gt = maps.heatmaps, target.heatmaps
    assert float(parts.heatmaps) == pytest.approx(float(60 * ((h - gt) ** 2 * (1 + 12 * gt)).mean()), rel=1e-5)
    mask = (target.pafs != 0).any(2).float()
    error = (maps.pafs - target.pafs) ** 2 * (0.5 + 4 * mask)[:, :, None]
    assert float(parts.pafs) == pytest.approx(float(25 * error.mean()), rel=1e-5)
    error = (maps.limb_depths - 4 * target.limb_depths) ** 2
    weighted = (error * mask).sum() + 0.02 * (error * (1 - mask)).sum()
    assert float(parts.limb_depths) == pytest.approx(float(15 * weighted / mask.sum()), rel=1e-5)
    error = (maps.root_depth - (2 * torch.log(target.root_depth) - 3)).abs()
    error = torch.where(error < 1, error**2 / 2, error - 0.5)
    weight = target.root_weight
    assert float(parts.root_depth) == pytest.approx(float(1.2 * (error * weight).sum() / weight.sum()), rel=1e-5)


def test_joints_that_a_data_set_does_not_know_do_not_count() -> None:
    target = truth()
    maps = perfect(target)
    head = SMAP15.joints.index("head_top")
    limb = [child for _, child in SMAP15.limbs].index(head)
    maps.heatmaps[:, head] += 1
    maps.pafs[:, limb] += 1
    maps.limb_depths[:, limb] += 1
    assert loss(maps, target).total > 1
    annotated = EVERYTHING.clone()
    annotated[:, head] = False
    assert loss(maps, target, annotated=annotated).total == pytest.approx(0, abs=1e-5)
    assert loss(maps, target, LossConfig.release(), annotated).total == pytest.approx(0, abs=1e-3)


def test_places_that_are_ignored_do_not_count() -> None:
    target = truth()
    maps = perfect(target)
    for value in maps:
        value[..., :4] += 1
    target.valid[..., :4] = 0
    assert loss(maps, target).total == pytest.approx(0, abs=1e-5)


def test_unknown_limb_depths_do_not_count_but_their_pafs_do() -> None:
    target = truth()
    maps = perfect(target)
    maps.limb_depths[:, 0] += 1
    maps.pafs[:, 0] += 1
    known = loss(maps, target)
    target.limb_depths[:, 0] = math.nan
    unknown = loss(maps, target)
    assert known.limb_depths > 0.1
    assert unknown.limb_depths == pytest.approx(0, abs=1e-5)
    assert unknown.pafs == known.pafs


def test_pictures_without_people_do_not_blow_up_the_limb_depths() -> None:
    target = truth()
    empty = ScaleTargets(*(torch.zeros_like(t) for t in target[:5]), target.valid)
    maps = RawMaps(*(torch.full_like(t, 0.1) for t in empty[:4]))
    parts = loss(maps, empty)
    assert all(p.isfinite() for p in parts)
    assert parts.root_depth == 0
    assert parts.limb_depths < 1


def test_hard_keypoint_mining_takes_the_worst_channels() -> None:
    target = truth()
    maps = perfect(target)
    maps.heatmaps[0, :3] += 1
    config = LossConfig(hard_joints=3, heat_emphasis=0)
    assert float(loss(maps, target, config).heatmaps) == pytest.approx(60 * 0.5, rel=1e-5)
    config = LossConfig(heat_emphasis=0)
    assert float(loss(maps, target, config).heatmaps) == pytest.approx(60 * 0.5 * 3 / J, rel=1e-5)


def test_coarse_scales_count_less_and_stages_add_up() -> None:
    target = truth()
    maps = perfect(target)._replace(heatmaps=target.heatmaps + 0.3)
    one = loss(maps, target).heatmaps
    scales = network_loss([[maps, maps]], [[target, target]], EVERYTHING, NETWORK, LossConfig()).heatmaps
    stages = network_loss([[maps], [maps]], [[target], [target]], EVERYTHING, NETWORK, LossConfig()).heatmaps
    assert float(scales) == pytest.approx(1.25 * float(one), rel=1e-5)
    assert float(stages) == pytest.approx(2 * float(one), rel=1e-5)


def test_release_root_depth_is_l1_in_the_roots_cells() -> None:
    target = truth()
    network = NetworkConfig.paper()
    maps = perfect(target, network)
    maps.root_depth[:, 2, 3] += 2.0
    maps.root_depth[:, 2, 4] += 7.0  # beside the root: not looked at
    parts = network_loss([[maps]], [[target]], EVERYTHING, network, LossConfig.release(832))
    assert float(parts.root_depth) == pytest.approx(10 * 100 / 832 * 2, rel=1e-5)


def test_gradients_flow_to_every_head() -> None:
    target = truth()
    maps = RawMaps(*(torch.zeros_like(t, requires_grad=True) for t in target[:4]))
    loss(maps, target).total.backward()
    assert all(m.grad is not None and m.grad.count_nonzero() > 0 for m in maps)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"heatmaps": -1.0}, "heatmaps must be 0 or more, got -1"),
        ({"scales": ((1, 1),)}, "scales must be 4 or 5 pairs"),
        ({"limb_mean": "all"}, "limb_mean must be one of"),
    ],
)
def test_says_what_is_wrong(fields, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossConfig(**fields)
    with pytest.raises(ValueError, match="targets must have shape"):
        maps = perfect(truth())
        network_loss([[maps._replace(heatmaps=maps.heatmaps[..., :4])]], [[truth()]], EVERYTHING, NETWORK, LossConfig())
