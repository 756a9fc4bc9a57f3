"""Evaluation end to end on miniature data sets, with predictors whose figures are known."""

from __future__ import annotations

import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from smap import SMAP15, Camera, DatasetError, People, WeightsError
from smap.data import open_dataset, write_simple
from smap.evaluate import (
    EstimatorSpec,
    Evaluation,
    SceneDataset,
    ablate,
    ablation_json,
    ablation_markdown,
    evaluate,
    evaluate_stored,
    markdown,
    open_predictions,
    paper,
    pck_curves,
    plot,
    rows_of,
    to_json,
)
from smap.evaluate.stored import HEADER, PredictionWriter, StoredPredictions, from_record, to_line

from .data import miniatures as mini
from .train.test_workers import alive

COUNT = 7


@dataclass(frozen=True)
class Oracle:
    """Knows the people of ``mini.people()`` and puts them at ``scale`` times their distance; counts its calls.

    Where the first pixel's blue is 200 there is nobody.
    """

    scale: float = 1.0
    stop_after: int | None = None  # raise KeyboardInterrupt at this call
    log: Path | None = None

    def predict_batch(self, images: Sequence[Any], cameras: Sequence[Camera | None] | None = None) -> list[People]:
        assert cameras is not None
        if self.log:
            with self.log.open("a") as out:
                out.write("call\n")
            if self.stop_after is not None and len(self.log.read_text().split()) > self.stop_after:
                raise KeyboardInterrupt
        results = []
        for image, camera in zip(images, cameras, strict=True):
            joints = self.scale * (mini.people() if image[0, 0, 2] < 200 else mini.people(0))
            flat = mini.SIMPLE_CAMERA.project(joints)
            if camera is None:  # sees the same pixels and believes in a focal length of its own
                camera = Camera.default(image.shape[1], image.shape[0])
                joints = joints * [1, 1, camera.fx / mini.SIMPLE_CAMERA.fx]
            seen = np.ones(joints.shape[:2], bool)
            results.append(People(joints, flat, seen.astype(float), seen, camera=camera))
        return results


@dataclass(frozen=True)
class Build:
    """A picklable factory."""

    oracle: Oracle

    def __call__(self) -> Oracle:
        return self.oracle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven pictures of two people in the simple format, the last of nobody."""
    root = tmp_path / "pictures"
    root.mkdir()
    records = []
    for i in range(COUNT):
        name, empty = f"{i}.png", i == COUNT - 1
        record = mini.simple_record(name, mini.people(0 if empty else 2))
        records.append(record | {"unannotated_people": 0})
        assert cv2.imwrite(str(root / name), np.full((480, 640, 3), 200 if empty else i, np.uint8))
    (root / "annotations.json").write_text(json.dumps(records))
    return root


def run(folder: Path, oracle: Oracle | None = None, **more: Any) -> Evaluation:
    dataset = open_dataset("json", folder, on_error=more.pop("on_error", "raise"))
    return evaluate(dataset, Build(oracle or Oracle()), progress=False, **{"name": f"json={folder}", **more})


def figures_match(a: Evaluation, b: Evaluation) -> bool:
    return all(b.figures[k] == pytest.approx(v, nan_ok=True, rel=1e-4, abs=1e-3) for k, v in a.figures.items())


# --- running ---


def test_a_perfect_predictor_is_perfect(folder: Path) -> None:
    result = run(folder, batch=3)
    assert result.figures["recall"] == 1 and result.figures["precision"] == 1 and result.figures["images"] == COUNT
    assert result.figures["pck_abs"] == 1 and result.figures["mpjpe_mm"] == pytest.approx(0, abs=1e-3)


def test_a_known_error_is_measured(folder: Path) -> None:
    result = run(folder, Oracle(1.05))
    assert result.figures["root_depth_error_median"] == pytest.approx(0.05, rel=1e-4)
    roots = np.linalg.norm(mini.people()[:, SMAP15.root], axis=-1)
    assert result.figures["root_error_mm"] == pytest.approx(50 * roots.mean(), rel=1e-4)
    assert result.figures["pck_root"] == 0 and result.figures["pck_root_50cm"] == 1


def test_guessed_cameras_reach_the_predictor(folder: Path) -> None:
    known, guessed = run(folder), run(folder, known_cameras=False)
    assert guessed.figures["recall"] == 1
    expected = 640 / mini.SIMPLE_CAMERA.fx - 1
    assert guessed.figures["root_depth_error_median"] == pytest.approx(expected, rel=1e-3)
    assert known.figures["root_depth_error_median"] == pytest.approx(0, abs=1e-6)


def test_workers_give_the_same(folder: Path) -> None:
    single = run(folder, Oracle(1.05))
    several = run(folder, Oracle(1.05), workers=2, batch=2)
    assert figures_match(single, several) and len(several.scores) == len(single.scores) == 2 * (COUNT - 1)


def interrupted(oracle: Oracle) -> Build:
    os.kill(os.getpid(), signal.SIGINT)
    return Build(oracle)


@dataclass(frozen=True)
class Interrupted(Build):
    """Ctrl-C reaches the worker while it takes its orders."""

    def __reduce__(self) -> tuple[Any, ...]:
        return interrupted, (self.oracle,)


def test_ctrl_c_does_not_kill_a_worker_that_is_still_starting(folder: Path) -> None:
    dataset = open_dataset("json", folder)
    assert evaluate(dataset, Interrupted(Oracle()), workers=1, progress=False).figures["recall"] == 1


SCRIPT = """
import os
import sys
import time
from smap.data import open_dataset
from smap.evaluate import evaluate
class Slow:
    def predict_batch(self, images, cameras=None):
        print(os.getpid(), flush=True)
        time.sleep(600)
if __name__ == "__main__":
    evaluate(open_dataset("json", sys.argv[1]), Slow, workers=1, batch=1, progress=False)
"""


def test_a_run_that_is_ended_or_killed_leaves_no_workers_behind(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    command, signals = [sys.executable, str(script), str(folder)], (signal.SIGTERM, signal.SIGKILL)
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in signals]
    workers = [int(run.stdout.readline()) for run in runs]  # type: ignore[union-attr]
    assert all(map(alive, workers))
    for run, number in zip(runs, signals, strict=True):
        run.send_signal(number)
        run.wait()
    deadline = time.monotonic() + 60
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(map(alive, workers))


class Unbuildable:
    def __call__(self) -> Oracle:
        raise WeightsError("weights must be better, got these")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_predictor_that_cannot_be_built_says_why_and_leaves_no_file(
    workers: int, folder: Path, tmp_path: Path
) -> None:
    dataset = open_dataset("json", folder)
    with pytest.raises(WeightsError, match="must be better"):
        evaluate(dataset, Unbuildable(), workers=workers, file=tmp_path / "p.jsonl", progress=False)
    assert not (tmp_path / "p.jsonl").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_pictures_raise_or_are_counted(folder: Path, workers: int) -> None:
    (folder / "2.png").write_bytes(b"broken")
    cv2.imwrite(str(folder / "4.png"), np.zeros((10, 10, 3), np.uint8))
    if not workers:  # the same way there, and processes take their time to start
        with pytest.raises(DatasetError, match=r"2\.png"):
            run(folder)
    result = run(folder, on_error="skip", workers=workers, batch=2)
    assert result.skipped == 2 and result.figures["images"] == COUNT - 2 and result.figures["recall"] == 1
    assert any("must be 640 x 480, got 10 x 10" in text for text in result.messages)
    assert "2 damaged records" in markdown(result)


# --- files and resuming ---


def test_predictions_are_written_as_the_run_goes_and_resumed(folder: Path, tmp_path: Path) -> None:
    file, log = tmp_path / "out" / "p.jsonl", tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        run(folder, Oracle(1.05, stop_after=2, log=log), batch=2, file=file, settings={"weights": "a"})
    lines = file.read_text().splitlines()
    assert json.loads(lines[0])[HEADER] == 1 and len(lines) == 1 + 4
    with file.open("a") as out:
        out.write('{"index": 4, "image": "4.png", "peo')  # cut off by a power failure
    with pytest.raises(FileExistsError, match="must not be there yet"):
        run(folder, file=file, settings={"weights": "a"})
    with pytest.raises(DatasetError, match=r"same settings, got weights a instead of b$"):
        run(folder, file=file, settings={"weights": "b"}, resume=True)
    log.unlink()
    resumed = run(folder, Oracle(1.05, log=log), batch=2, file=file, resume=True, settings={"weights": "a"})
    assert len(log.read_text().split()) == 2  # three images were left, in batches of two
    assert figures_match(run(folder, Oracle(1.05)), resumed)
    records = [json.loads(line) for line in file.read_text().splitlines()[1:]]
    assert [r["index"] for r in records] == list(range(COUNT))
    again = run(folder, Oracle(1.05, stop_after=0, log=log), file=file, resume=True, settings={"weights": "a"})
    assert figures_match(resumed, again)  # nothing left to predict


def test_stored_predictions_give_the_same_figures(folder: Path, tmp_path: Path) -> None:
    live = run(folder, Oracle(1.05), file=tmp_path / "p.jsonl")
    dataset = open_dataset("json", folder)
    stored = evaluate_stored(dataset, open_predictions(tmp_path / "p.jsonl"), progress=False)
    assert figures_match(live, stored) and stored.missing == 0


def test_foreign_predictions_need_only_joints(folder: Path, tmp_path: Path) -> None:
    people = [
        {"joints_3d_m": p.tolist(), "joints_2d_px": mini.SIMPLE_CAMERA.project(p).tolist()} for p in mini.people()
    ]
    people[0]["joints_3d_m"][4] = people[0]["joints_2d_px"][4] = None
    file = tmp_path / "other.jsonl"
    file.write_text("\n".join(json.dumps({"image": f"{i}.png", "people": people}) for i in (3, 0)) + "\n\n")
    result = evaluate_stored(open_dataset("json", folder), open_predictions(file), progress=False)
    assert result.missing == COUNT - 2 and result.figures["recall"] == pytest.approx(2 / (COUNT - 1))
    assert result.figures["pck_rel"] == pytest.approx(27 / 28)
    assert f"{COUNT - 2} images have no prediction" in markdown(result)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense\n", "line 1: a prediction must name its image"),
        ('{"people": []}\n', "line 1: a prediction must name its image"),
        ('{"image": "0.png", "people": [{"joints_3d_m": [[1, 2, 3]]}]}\n', r"image 0\.png: the prediction must fit"),
        ("[" * 100_000 + "\n", "line 1: a prediction must name its image"),
        ('{"image": "0.png", "people": [[]]}\n', r"image 0\.png: the prediction must fit"),
        ('{"image": "other.png", "people": []}\n', "must name the data set's images, such as '0.png'"),
    ],
)
def test_predictions_that_do_not_fit_are_named(text: str, message: str, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)
    with pytest.raises(DatasetError, match=message):
        evaluate_stored(open_dataset("json", folder), open_predictions(file), progress=False)


def test_lines_keep_people(folder: Path) -> None:
    sample = open_dataset("json", folder)[0]
    people = Oracle(1.1).predict_batch([np.zeros((480, 640, 3), np.uint8)], [sample.camera])[0]
    detected = people.detected.copy()
    detected[1, 3] = False
    people = People(people.joints_3d, people.joints_2d, people.scores, detected, camera=people.camera)
    back = from_record(json.loads(to_line(0, sample, people)), SMAP15)
    np.testing.assert_allclose(back.joints_3d, people.joints_3d, atol=1e-5)
    np.testing.assert_array_equal(back.detected, people.detected)
    assert back.camera == people.camera


def test_missing_prediction_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="predictions must be a file or folder"):
        open_predictions(tmp_path / "nowhere.jsonl")
    with pytest.raises(DatasetError, match="preds_2d_kpt_mupots"):
        open_predictions(tmp_path)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DatasetError, match="must hold '3d_pairs'"):
        open_predictions(tmp_path / "a.json")


def test_a_resumed_file_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").touch()
    with pytest.raises(FileExistsError, match="must not be there yet"):  # somebody is about to write it
        PredictionWriter(tmp_path / "p.jsonl", {})
    with PredictionWriter(tmp_path / "p.jsonl", {}, resume=True) as writer:
        assert not writer.done
    assert len(StoredPredictions(tmp_path / "p.jsonl")) == 0


def test_of_two_runs_into_one_new_file_the_second_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    with PredictionWriter(file, {}) as first, PredictionWriter(file, {}) as second:
        first.write("{}", 0)
        with pytest.raises(FileExistsError, match="must not be there yet"):
            second.write("{}", 0)
    assert len(file.read_text().splitlines()) == 2  # header and prediction


def test_a_file_that_a_run_writes_is_not_resumed_by_another(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    with PredictionWriter(file, {}) as first:
        first.write('{"index": 0}', 0)
        with pytest.raises(FileExistsError, match="must not be in use by another run"):
            PredictionWriter(file, {}, resume=True)
    with (
        PredictionWriter(file, {}, resume=True),
        pytest.raises(FileExistsError, match="must not be in use by another run"),
    ):
        PredictionWriter(file, {}, resume=True)


def test_a_resumed_file_with_lines_of_something_else_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    for line in ("{}", "[]", '{"index": "first"}'):
        with PredictionWriter(file, {}) as writer:
            writer.write(line, 0)
        with pytest.raises(DatasetError, match="line 2 must be a prediction"):
            PredictionWriter(file, {}, resume=True)
        file.unlink()


def test_a_data_set_without_images_is_an_error(tmp_path: Path) -> None:
    record = mini.simple_record("a.jpg", mini.people(0))
    (tmp_path / "annotations.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"must have images, got none$"):
        run(tmp_path, file=tmp_path / "p.jsonl")
    (tmp_path / "annotations.json").write_text(json.dumps([record | {"width": 0}]))
    dataset = open_dataset("json", tmp_path, on_error="skip")
    (tmp_path / "p.jsonl").write_text("")
    with pytest.raises(DatasetError, match="must have images, got none but 1 damaged records"):
        evaluate_stored(dataset, open_predictions(tmp_path / "p.jsonl"), progress=False)


# --- the paper's data sets ---


def mupots_predictions(root: Path, tmp_path: Path) -> Path:
    """The authors' result file with perfect predictions, in their units and frame."""
    pairs = []
    for sample in open_dataset("mupots", root, annotation="annot3"):
        joints = sample.joints_3d.astype(float)
        width, height = sample.width, sample.height
        scale = min(832 / width, 512 / height)
        shift = np.array([(832 - width * scale) / 2, (512 - height * scale) / 2])
        flat = sample.joints_2d * scale + shift
        ones = np.ones((*joints.shape[:2], 1))
        pairs.append(
            {
                "image_path": f"MultiPersonTestSet/{sample.name}",
                "pred_2d": np.concatenate([flat, joints[..., 2:], ones], -1).tolist(),
                "pred_3d": np.concatenate([100 * joints, ones], -1).tolist(),
                "root_d": [],
            }
        )
    file = tmp_path / "authors.json"
    file.write_text(json.dumps({"model_pattern": "MIX", "3d_pairs": pairs}))
    return file


def test_mupots_tables_of_the_authors_result_file(tmp_path: Path) -> None:
    root = mini.mupots(tmp_path / "set")
    predictions = open_predictions(mupots_predictions(root, tmp_path))
    dataset = open_dataset("mupots", root)
    result = evaluate_stored(dataset, predictions, name=f"mupots={root}", rules="mupots", progress=False)
    assert list(result.groups) == ["TS1", "TS6"] and result.figures["people"] == 6
    # Truth is 1.05 times as large; limbs are rescaled, so only where the root stands differs.
    assert result.figures["pck_rel"] == 1 and result.figures["recall"] == 1
    assert result.figures["root_depth_error_median"] == pytest.approx(1 - 1 / 1.05, rel=1e-3)
    text = markdown(result)
    for heading in ("Table 2", "Table 6", "Table 7", "Table 8", "Table 9", "## All figures", "## By depth"):
        assert heading in text
    assert "| TS1 | 89.9 | 100.0 |" in text and "| TS2 | 88.3 | - |" in text and "| Average | 80.5 | 100.0 |" in text


def test_mupots_predictions_as_mat_files(tmp_path: Path) -> None:
    from scipy.io import savemat

    from smap.data.joints import MUCO

    root = mini.mupots(tmp_path / "set")
    order, flat, solid = mini.inverse(MUCO, 17), {}, {}
    for sample in open_dataset("mupots", root):
        name = sample.name.replace("/", "_").removesuffix(".jpg")
        flat[name], solid[name] = sample.joints_2d[:, order], 1000 * sample.joints_3d[:, order]
    savemat(tmp_path / "preds_2d_kpt_mupots.mat", flat)
    savemat(tmp_path / "preds_3d_kpt_mupots.mat", solid)
    dataset = open_dataset("mupots", root)
    result = evaluate_stored(dataset, open_predictions(tmp_path), rules="mupots", progress=False)
    assert result.figures["pck_rel_all"] == 1 and result.figures["pck_root"] == 1 and result.missing == 0


def test_reprojection_replaces_x_and_y_of_detected_joints(tmp_path: Path) -> None:
    from smap.metrics import Protocol, score_image

    sample = open_dataset("mupots", mini.mupots(tmp_path), annotation="annot3")[0]
    wrong = mini.people() + [0.5, 0, 0]  # noqa: RUF005
    seen = np.ones((2, 15), bool)
    seen[0, 8] = False
    people = People(wrong, sample.joints_2d, seen.astype(float), seen, camera=sample.camera)
    plain = score_image(people, sample, Protocol("joint_boxes", min_visible=0, joints_from=(0, 0)))
    anew = score_image(people, sample, Protocol("joint_boxes", reproject=True, min_visible=0, joints_from=(0, 0)))
    np.testing.assert_allclose(plain.absolute_mm, 500, rtol=1e-3)
    assert anew.absolute_mm[0, 8] == pytest.approx(500, rel=1e-3)
    assert np.delete(anew.absolute_mm, 8, axis=1).max() < 1


def test_panoptic_tables(tmp_path: Path) -> None:
    for name in ("160226_mafia1", "160906_pizza1"):
        mini.panoptic(tmp_path, name)
    names = ["160226_mafia1", "160906_pizza1"]
    dataset = open_dataset("panoptic", tmp_path, sequences=names)
    lines = []
    for i, sample in enumerate(dataset):
        seen = np.isfinite(sample.joints_2d).all(-1) & np.isfinite(sample.joints_3d).all(-1)
        people = People(sample.joints_3d * 1.01, sample.joints_2d, seen.astype(float), seen, camera=sample.camera)
        lines.append(to_line(i, sample, people))
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    stored = open_predictions(tmp_path / "p.jsonl")
    result = evaluate_stored(dataset, stored, name="panoptic=x", rules="panoptic", progress=False)
    assert list(result.groups) == ["Mafia", "Pizza"]
    text = markdown(result)
    assert "Table 1: MPJPE, mm" in text and "Table 4: CMU Panoptic" in text
    row = next(line for line in text.splitlines() if line.startswith("| This run | -"))
    assert row.count("-") == 2, row  # Haggling and Ultimatum are not there


def test_human36m_table(tmp_path: Path) -> None:
    dataset = open_dataset("human36m", mini.human36m(tmp_path), subjects=[9])
    lines = [
        to_line(i, s, People(s.joints_3d, s.joints_2d, np.ones((1, 15)), np.ones((1, 15), bool)))
        for i, s in enumerate(dataset)
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    result = evaluate_stored(dataset, open_predictions(tmp_path / "p.jsonl"), name="human36m=x", progress=False)
    assert list(result.groups) == ["Directions"] and "Table 10" in markdown(result)
    assert "| This run | 0.0 |" in markdown(result)


def test_the_paper_s_averages_are_those_of_its_rows() -> None:
    for _, values, average in paper.SEQUENCE_TABLES.values():
        assert len(values) == 20 and np.mean(values) == pytest.approx(average, abs=0.06)
    for _, rows in paper.TABLE_1.values():
        for *activities, average in rows.values():
            assert len(activities) == 4 and np.mean(activities) == pytest.approx(average, abs=0.11)
    assert len(paper.TABLE_2[paper.OURS]) == len(paper.MUPOTS_COLUMNS)


# --- reports ---


def test_json_report_holds_every_figure(folder: Path) -> None:
    result = run(folder, Oracle(1.05), settings={"weights": "w"})
    value = json.loads(to_json(result))
    assert value["figures"]["recall"] == 1 and value["settings"] == {"weights": "w"} and value["skipped"] == 0
    assert set(value["figures"]) == set(result.figures)
    assert any(row["people"] for row in value["by_depth"])
    empty = json.loads(to_json(run(folder, Oracle(9))))  # out of the picture: nothing is found
    assert empty["figures"]["pcod"] is None or isinstance(empty["figures"]["pcod"], float)


def test_by_depth_rows_add_up(folder: Path) -> None:
    result = run(folder)
    rows = result.by_depth((0, 5, 20))
    assert [row["people"] for row in rows] == [COUNT - 1, COUNT - 1]
    assert "| 4 to 6 m | 12 | 100.0 |" in markdown(result)


def test_plots_are_pictures_of_the_figures(folder: Path, tmp_path: Path) -> None:
    result = run(folder, Oracle(1.05))
    curves = pck_curves(result.scores)
    assert (np.diff(curves["PCK_root"]) >= 0).all() and curves["PCK_root"][-1] == 1
    assert curves["PCK_root"][15] == result.figures["pck_root"]
    files = plot(result, tmp_path / "plots")
    assert [file.name for file in files] == ["pck.png", "root_depth.png"]
    for file in files:
        image = cv2.imread(str(file))
        assert image is not None and image.std() > 5
    nobody = Evaluation("x", "bodies", {"": result.scores.people(np.zeros(len(result.scores), bool))})
    assert plot(nobody, tmp_path / "none") == [] and not (tmp_path / "none").exists()


# --- ablation ---


def test_ablation_rows_run_and_stand_beside_the_paper(folder: Path, tmp_path: Path) -> None:
    rows = rows_of(EstimatorSpec(), refined=True)
    names = [row.name for row in rows]
    assert names[:2] == ["full", "paf"] and names[-2:] == ["no refiner", "default intrinsics"]
    assert [row.name for row in rows_of(EstimatorSpec(), refined=False)].count("no refiner") == 0
    scales = {"full": 1.0, "paf": 1.05, "optimal": 1.0, "no refiner": 1.02, "default intrinsics": 1.0}

    def results(resume: bool, build: Callable[[Any], Any]) -> dict[str, Evaluation]:
        dataset = open_dataset("json", folder)
        return ablate(dataset, rows, name="mupots=x", folder=tmp_path, resume=resume, progress=False, build=build)

    first = results(False, lambda row: Build(Oracle(scales[row.name])))
    assert first["default intrinsics"].figures["root_error_mm"] > first["full"].figures["root_error_mm"]
    log = tmp_path / "log"
    again = results(True, lambda row: Build(Oracle(1.0, stop_after=0, log=log)))
    assert all(figures_match(first[name], again[name]) for name in first)
    text = ablation_markdown(first, "mupots=x")
    assert "| No RefineNet (Table 3) | 100.0 |" in text and "| - paper | 92.3 | 45.5 | 34.7 | 70.9 | 97.0 |" in text
    assert "Smaller Backbone" in text and "| 67.0 |" in text
    assert set(json.loads(ablation_json(first, "x"))["rows"]) == set(first)
    assert "| - paper | 94.3 |" in ablation_markdown(first, "panoptic=x")
    assert "paper" not in ablation_markdown({"full": first["full"]}, "json=x").split("weights of their own")[0].lower()


# --- rendered scenes ---


def test_scenes_are_a_data_set() -> None:
    dataset = SceneDataset("builtin", count=3, width=160, height=96, people=[1, 2], empty_share=0)
    assert len(dataset) == 3
    first = dataset[0]
    assert isinstance(first.image, np.ndarray) and first.image.shape == (96, 160, 3)
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy[0].image, first.image)
    assert len({sample.name for sample in dataset}) == 3
    others = SceneDataset("builtin", count=3, seed=1, width=160, height=96)
    assert not {sample.name for sample in dataset} & {sample.name for sample in others}
    with pytest.raises(ValueError, match="count must be"):
        SceneDataset("builtin", count=0)
    with pytest.raises(ValueError, match="options of scenes must be count, seed or of SceneConfig, got colour"):
        SceneDataset("builtin", colour="red")
    for wrong in ({"people": 5}, {"width": "wide"}, {"count": "x"}, {"seed": 0.5}):
        with pytest.raises(ValueError, match="options of scenes must be of the declared types"):
            SceneDataset("builtin", **wrong)
    with pytest.raises(DatasetError, match="nowhere"):
        SceneDataset("/nowhere")


def test_perfect_predictions_of_scenes_are_perfect() -> None:
    dataset = SceneDataset("builtin", count=4, width=208, height=128, people=[1, 3])
    samples = list(dataset)

    class Truth:
        def predict_batch(self, images: Sequence[Any], cameras: Any = None) -> list[People]:
            found = [next(s for s in samples if np.array_equal(s.image, image)) for image in images]
            return [People(s.joints_3d, s.joints_2d, np.ones((len(s), 15)), np.ones((len(s), 15), bool)) for s in found]

    result = evaluate(dataset, Truth, name="scenes=builtin", progress=False)
    assert result.figures["recall"] == 1 and result.figures["pck_abs_all"] == 1 and result.figures["precision"] == 1
    assert result.figures["oracle_root_error_mm"] > 10  # people are not all of one size


def test_spec_builds_what_the_estimator_says(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="weights must be"):
        EstimatorSpec(str(tmp_path / "none.safetensors"))()


def test_write_simple_round_trip_feeds_evaluation(folder: Path, tmp_path: Path) -> None:
    write_simple(open_dataset("json", folder), tmp_path / "copy")
    assert figures_match(run(folder), run(tmp_path / "copy"))
    assert not math.isnan(run(folder).figures["pcod"])


def test_predictions_do_not_depend_on_where_they_are_made_but_on_every_other_setting() -> None:
    settings = EstimatorSpec().settings()
    assert EstimatorSpec(device="cpu").settings() == settings
    assert settings["decode"]["min_person_score"] > 0
    for other in (EstimatorSpec(refiner=None), EstimatorSpec(min_person_score=0.9), EstimatorSpec(mirror=True)):
        assert other.settings() != settings
