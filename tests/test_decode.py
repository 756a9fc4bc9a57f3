from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import smap
from smap import DecodeConfig, Maps, decode

from .official_maps import official_maps


def official_cases(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "official" / "association.npz") as file:
        return dict(file)


def check_official_case(shared: Path, recorded: dict[str, np.ndarray], case: str) -> None:
    maps, crc, _ = official_maps(shared, int(case))
    if crc != recorded[f"{case}/crc"]:
        pytest.skip("this machine's numpy makes other maps")
    for association, table in (("depth-aware", "index"), ("paf", "index_2dpa")):
        found = decode(maps, DecodeConfig.official(map_scale=1, association=association))
        count = found.peaks.count[0]
        np.testing.assert_array_equal(count, recorded[f"{case}/count"])
        xy = torch.cat([found.peaks.xy[0, j, :n] for j, n in enumerate(count)]) + 0.5
        score = torch.cat([found.peaks.score[0, j, :n] for j, n in enumerate(count)])
        np.testing.assert_allclose(xy, recorded[f"{case}/peaks"][:, :2], atol=1e-3, rtol=0)
        np.testing.assert_array_equal(score, recorded[f"{case}/peaks"][:, 2])
        np.testing.assert_array_equal(found.people[0, : found.count[0]], recorded[f"{case}/{table}"])
        assert (found.people[0, found.count[0] :] == -1).all()


def test_official_config_reproduces_the_release_to_the_index(shared: Path) -> None:
    recorded = official_cases(shared)
    cases = sorted({key.split("/")[0] for key in recorded}, key=int)
    assert len(cases) == 62
    for case in cases:
        check_official_case(shared, recorded, case)


def test_means_and_map_scale_three_give_the_same_people(shared: Path) -> None:
    sums = official_maps(shared, 8).maps
    means = dataclasses.replace(sums, heatmaps=sums.heatmaps / 3, pafs=sums.pafs / 3)
    expected, actual = decode(sums, DecodeConfig.official(map_scale=1)), decode(means, DecodeConfig.official())
    assert torch.equal(actual.people, expected.people)
    torch.testing.assert_close(actual.peaks.score * 3, expected.peaks.score)


def one_person(batch: int = 1, dtype: torch.dtype = torch.float32) -> Maps:
    """Everyone in the batch stands upright in the same place, at normalised depth 4."""
    skeleton = smap.SMAP15
    places = {"pelvis": (50, 60), "neck": (50, 40), "head_top": (50, 29)}
    for side, sign in (("left", 1), ("right", -1)):
        places |= {f"{side}_shoulder": (50 + 7 * sign, 41), f"{side}_elbow": (50 + 11 * sign, 53)}
        places |= {f"{side}_wrist": (50 + 12 * sign, 63), f"{side}_hip": (50 + 5 * sign, 61)}
        places |= {f"{side}_knee": (50 + 6 * sign, 80), f"{side}_ankle": (50 + 6 * sign, 96)}
    xy = np.array([places[name] for name in skeleton.joints], np.float64)
    y, x = np.mgrid[0:112, 0:104].astype(np.float64)
    heat = np.stack([np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in xy])
    pafs = np.zeros((14, 2, 112, 104))
    for limb, (a, b) in enumerate(skeleton.limbs):
        unit = (xy[b] - xy[a]) / np.linalg.norm(xy[b] - xy[a])
        along = (x - xy[a, 0]) * unit[0] + (y - xy[a, 1]) * unit[1]
        across = abs((x - xy[a, 0]) * unit[1] - (y - xy[a, 1]) * unit[0])
        near = (across < 2) & (along > -1) & (along < np.linalg.norm(xy[b] - xy[a]) + 1)
        pafs[limb] = unit[:, None, None] * near

    def batched(value: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.repeat(value[None], batch, 0)).to(dtype)

    return Maps(batched(heat), batched(pafs), batched(np.zeros((14, 112, 104))), batched(np.full((112, 104), 2.0)))


@pytest.mark.parametrize("association", ["depth-aware", "paf"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_one_person(association: str, dtype: torch.dtype) -> None:
    found = decode(one_person(2, dtype), DecodeConfig(association=association))
    assert found.count.tolist() == [1, 1] and len(found) == 2
    assert found.people[:, 0].tolist() == [[0] * 15] * 2
    assert found.root_depths[:, 0].tolist() == [2.0, 2.0]
    torch.testing.assert_close(found.peaks.xy[0, 2, 0], torch.tensor([50.0, 60.0]), atol=0.01, rtol=0)


def test_people_without_a_visible_root_are_rooted_at_the_neck() -> None:
    maps = one_person()
    maps.heatmaps[:, 2] = 0  # the pelvis
    maps.heatmaps[:, 6:9] = maps.heatmaps[:, 12:15] = 0  # the legs
    maps.root_depth[:, 35:45] = 1.75
    found = decode(maps)
    assert found.count.tolist() == [1]
    assert found.people[0, 0].tolist() == [0, 0, -1, 0, 0, 0, -1, -1, -1, 0, 0, 0, -1, -1, -1]
    assert found.root_depths[0, 0].item() == 1.75
    assert decode(maps, DecodeConfig(half_bodies=False)).count.tolist() == [0]


def test_stray_peaks_are_nobody() -> None:
    maps = one_person()
    maps.heatmaps[0, 2, 20, 90] = maps.heatmaps[0, 0, 90, 20] = 0.9
    assert decode(maps).count.tolist() == [1]
    assert decode(maps, DecodeConfig(min_joints=1)).count.tolist() == [3]


def test_people_of_whom_little_is_sure_are_nobody() -> None:
    maps = one_person()
    (person,) = smap.lift(maps, decode(maps), smap.Letterbox.fit(416, 448, (416, 448)), smap.Camera.default(416, 448))[
        0
    ]
    assert 0.9 < person.score <= 1
    for scale in (1.0, 3.0):  # applies to scaled scores, as every threshold does
        limits = {person.score * scale - 0.01: 1, person.score * scale + 0.01: 0}
        for association in ("paf", "depth-aware", "optimal"):
            for limit, count in limits.items():
                config = DecodeConfig(association=association, map_scale=scale, min_score=limit)
                assert decode(maps, config).count.tolist() == [count]


def test_empty_batch_and_empty_picture() -> None:
    assert decode(one_person()[:0]).people.shape == (0, 127, 15)
    nobody = one_person()
    nobody.heatmaps.zero_()
    found = decode(nobody, DecodeConfig(max_people=3, max_peaks=5))
    assert found.count.tolist() == [0] and found.people.shape == (1, 3, 15)
    assert (found.people == -1).all() and found.peaks.xy.shape == (1, 15, 5, 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("name", "place"), [("heatmaps", (0, 3, 7, 5)), ("pafs", (0, 0, 0, slice(48, 52), 50)), ("root_depth", (0, 60, 50))]
)
def test_values_that_are_not_finite_are_an_error(name: str, place: tuple, value: float) -> None:
    maps = one_person()
    getattr(maps, name)[place] = value
    with pytest.raises(ValueError, match=f"{name} must be finite, got"):
        decode(maps)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"association": "best"}, "association must be one of"),
        ({"map_scale": 0.0}, "map_scale must be positive"),
        ({"peak_threshold": -0.1}, "peak_threshold must be at least 0"),
        ({"max_people": 0}, "max_people must be a whole number of at least 1"),
        ({"max_peaks": 2.5}, "max_peaks must be a whole number of at least 1, got 2.5"),
    ],
)
def test_config_says_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DecodeConfig(**change)  # type: ignore[arg-type]


def test_function_and_module_share_a_name() -> None:
    code = "from smap.decode import DecodeConfig; import smap; assert callable(smap.decode) and callable(smap.lift)"
    subprocess.run([sys.executable, "-c", code], check=True)
