from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from smap import Camera, People
from smap.cli import main
from smap.image import MAX_PIXELS, encode_png, read_image

from .conftest import FakeEstimator, picture

pytestmark = pytest.mark.usefixtures("estimator")


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(picture(tmp_path / "a.png", people=2))]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{tmp_path / 'a.png'}: 2 people"
    assert out.count("Person(15/15 joints") == 2
    assert "1 images, 2 people, 0 skipped" in err


def test_json_to_stdout_is_one_line_per_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [picture(tmp_path / f"{i}.png", people=i) for i in (0, 1, 3)]
    assert main(["predict", *map(str, files), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["image"] for line in lines] == [str(f) for f in files]
    assert [len(People.from_json(line)) for line in lines] == [0, 1, 3]


def test_every_output_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = picture(tmp_path / "a.png"), tmp_path / "results" / "deep"
    assert main(["predict", str(file), "--json", "--overlay", "--view3d", "--out", str(out)]) == 0
    assert names(out) == ["a.json", "a_overlay.png", "a_view3d.png"]
    assert len(People.from_json((out / "a.json").read_text())) == 1
    assert read_image(out / "a_overlay.png").shape == (48, 64, 3)
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(file), "--overlay"]) == 0
    assert names(tmp_path / "out") == ["a_overlay.png"]


def test_folders_globs_and_name_clashes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("in/b.png", "in/a.png", "in/sub/a.png", "in/a.bmp", "more/a.png", "more/x1.png"):
        picture(tmp_path / name)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    out = tmp_path / "in" / "out"
    patterns = [str(tmp_path / "in"), str(tmp_path / "more" / "*.png")]
    for _ in range(2):  # the second time, the results lie in the folder that is searched
        assert main(["predict", *patterns, "--json", "--overlay", "--out", str(out)]) == 0
        assert [n for n in names(out) if n.endswith(".json")] == [
            *("a.json", "a.png-2.json", "a.png.json", "b.json", "sub/a.json", "x1.json")
        ]
        assert "6 images" in capsys.readouterr().err


def test_results_among_the_pictures_are_no_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "sub/b.png"):
        picture(tmp_path / name)
    for options in (["--overlay", "--view3d"], ["--overlay"], ["--json"]):
        assert main(["predict", str(tmp_path), *options, "--out", str(tmp_path)]) == 0
        assert "2 images" in capsys.readouterr().err
    results = [f"{name}{end}" for name in ("a", "sub/b") for end in (".json", ".png", "_overlay.png", "_view3d.png")]
    assert names(tmp_path) == sorted(results)


def damaged(folder: Path) -> dict[str, Path]:
    whole = encode_png(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    huge = bytearray(whole)
    side = int(MAX_PIXELS**0.5) + 1
    huge[16:24] = side.to_bytes(4, "big") * 2
    files = {"empty": b"", "truncated": whole[:-200], "no-picture": b"GIF? no, a text" * 9, "huge": bytes(huge)}
    paths = {name: folder / f"{name}.png" for name in files}
    for name, path in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    vast = folder / "vast.png"
    with vast.open("wb") as file:  # a hole: takes no room on the disk
        file.truncate(2**40)
    return paths | {"missing": folder / "nowhere.png", "vast": vast}


def test_damaged_files_are_skipped_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = damaged(tmp_path / "in")
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "z.png")
    out = tmp_path / "out"
    code = main(["predict", str(tmp_path / "in"), str(bad["missing"]), "--json", "--out", str(out), "--batch", "4"])
    err = capsys.readouterr().err
    assert code == 1
    assert names(out) == ["a.json", "z.json"]
    for path in bad.values():
        assert [line for line in err.splitlines() if f"skipped {path}:" in line], path
    assert "2 images, 2 people, 6 skipped" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["empty", "truncated", "no-picture", "huge", "missing", "vast"])
def test_one_damaged_picture_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path = damaged(tmp_path)[kind]
    assert main(["predict", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("smap predict: ") and str(path) in err and "must" in err


def test_nothing_found_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for pattern in (tmp_path / "empty", tmp_path / "*.jpg"):
        assert main(["predict", str(pattern)]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and str(pattern) in err


def test_cameras(tmp_path: Path, estimator: FakeEstimator) -> None:
    file = str(picture(tmp_path / "a.png", size=(64, 48)))
    assert main(["predict", file, "--camera", "50,51,32,24"]) == 0
    assert main(["predict", file, "--fov", "90"]) == 0
    assert main(["predict", file]) == 0
    assert estimator.cameras == [Camera(50, 51, 32, 24), Camera.from_fov(64, 48, 90), Camera.default(64, 48)]


@pytest.mark.parametrize(
    "options",
    [
        ["--camera", "1,2,3"],
        ["--camera", "0,5,1,1"],
        ["--camera", "nan,5,1,1"],
        ["--camera", "a,b,c,d"],
        ["--fov", "180"],
        ["--fov", "wide"],
        ["--fov", "nan"],
        ["--camera", "5,5,1,1", "--fov", "60"],
        ["--batch", "0"],
        ["--input-size", "100"],
        ["--nonsense"],
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["predict", str(picture(tmp_path / "a.png")), *options])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("smap") and "--help" in err


def test_unwritable_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], estimator: FakeEstimator) -> None:
    file = picture(tmp_path / "a.png")
    assert main(["predict", str(file), "--json", "--out", str(file / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "output folder must be writable" in err
    assert not estimator.batches


def test_batches_keep_the_order_and_the_last_rest(tmp_path: Path, estimator: FakeEstimator, capsys) -> None:
    files = [str(picture(tmp_path / f"{i}.png", people=i)) for i in range(7)]
    assert main(["predict", *files, "--json", "--batch", "3"]) == 0
    assert estimator.batches == [3, 3, 1]
    lines = capsys.readouterr().out.splitlines()
    assert [len(People.from_json(line)) for line in lines] == list(range(7))


def test_resume_does_only_what_is_missing(tmp_path: Path, estimator: FakeEstimator, capsys) -> None:
    for i in range(4):
        picture(tmp_path / "in" / f"{i}.png")
    command = ["predict", str(tmp_path / "in"), "--json", "--overlay", "--out", str(tmp_path / "out"), "--resume"]
    assert main(command) == 0
    (tmp_path / "out" / "2_overlay.png").unlink()
    estimator.batches.clear()
    assert main(command) == 0
    assert estimator.batches == [1]
    assert "1 images, 1 people, 0 skipped, 3 done before" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "in"), "--json", "--resume"]) == 2


def test_results_come_as_they_are_made(tmp_path: Path, estimator: FakeEstimator, monkeypatch) -> None:
    """An interruption keeps what was done, and pictures are read only a little ahead."""
    files = [picture(tmp_path / f"{i:02}.png") for i in range(30)]
    read: list[Path] = []
    monkeypatch.setattr("smap.cli._files.read_image", lambda path: (read.append(path), read_image(path))[1])

    def interrupted(images: object, cameras: object) -> list[People]:
        if len(estimator.batches) == 5:
            raise KeyboardInterrupt
        return FakeEstimator.predict_batch(estimator, images, cameras)  # type: ignore[arg-type]

    monkeypatch.setattr(estimator, "predict_batch", interrupted)
    assert main(["predict", *map(str, files), "--json", "--out", str(tmp_path / "out")]) == 130
    assert names(tmp_path / "out") == [f"{i:02}.json" for i in range(5)]
    assert len(read) <= 10


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch, capsys) -> None:
    files = [str(picture(tmp_path / f"{i}.png")) for i in range(2)]

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert main(["predict", *files, "--json", "--out", str(tmp_path / "out")]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert names(tmp_path / "out") == []


def test_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(picture(tmp_path / "a.png")), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
