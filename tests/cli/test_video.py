from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smap import Camera, People
from smap.cli import main, video
from smap.video import VideoInfo, VideoReader, VideoWriter

from .conftest import FakeEstimator

INFO = VideoInfo(96, 64, 25.0, 12)


class TwoPeople(FakeEstimator):
    def predict(self, image: NDArray[np.uint8], camera: Camera) -> People:
        return self._people(2, camera)


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(video, "make_estimator", lambda args: TwoPeople())
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, INFO) as writer:
        for i in range(INFO.frames):
            writer.write(np.full((64, 96, 3), (20 * i, 100, 30), np.uint8))
    return path


def test_frames_come_back_in_order(clip: Path) -> None:
    reader = VideoReader(clip)
    assert (reader.info.width, reader.info.height, reader.info.frames) == (96, 64, 12)
    assert reader.info.rate == pytest.approx(25)
    reds = [int(frame[32, 48, 0]) for frame in reader]
    assert len(reds) == 12
    np.testing.assert_allclose(reds, [20 * i for i in range(12)], atol=12)
    next(iter(reader))
    assert len(list(reader)) == 12, "each time from the first on"


def test_frames_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", INFO) as writer:
        for frame in (np.zeros((64, 95, 3), np.uint8), np.zeros((64, 96, 3), np.uint16), np.zeros((64, 96, 3))):
            with pytest.raises(ValueError, match=r"frame must be \(64, 96, 3\) uint8, got"):
                writer.write(frame)
        writer.write(np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(ValueError, match="after its end"):
        writer.write(np.zeros((64, 96, 3), np.uint8))


def test_every_frame_has_its_line_and_everyone_an_identity(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["video", str(clip), "--overlay", "--smooth", "--fov", "60", "--out", str(out), "--quiet"]) == 0
    lines = (out / "clip.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame_index"] for line in lines] == list(range(12))
    assert json.loads(lines[5])["seconds"] == pytest.approx(0.2)
    for line in lines:
        people = People.from_json(line)
        assert people.ids is not None
        assert people.ids.tolist() == [0, 1]
        assert people.camera == Camera.from_fov(96, 64, 60)
    assert len(list(VideoReader(out / "clip_overlay.mp4"))) == 12


def test_a_bad_video_is_reported_and_the_others_are_kept(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    assert main(["video", str(bad), str(clip), "--out", str(tmp_path / "out"), "--quiet"]) == 1
    assert "bad.mp4" in capsys.readouterr().err
    assert (tmp_path / "out" / "clip.jsonl").is_file()
    assert main(["video", str(bad), "--out", str(tmp_path / "out")]) == 2
    assert "video must be a file that OpenCV reads" in capsys.readouterr().err
    assert main(["video", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "out")]) == 2


def test_videos_of_one_name_keep_their_own_results(clip: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other" / "clip.mp4", tmp_path / "out"
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes())
    assert main(["video", str(clip), str(other), "--overlay", "--out", str(out), "--quiet"]) == 0
    expected = {"clip.jsonl", "clip_overlay.mp4", "clip.mp4.jsonl", "clip.mp4_overlay.mp4"}
    assert {path.name for path in out.iterdir()} == expected


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    with (
        VideoWriter(tmp_path / "a.mp4", INFO) as writer,
        pytest.raises(ValueError, match=r"frame must be \(64, 96, 3\)"),
    ):
        writer.write(np.zeros((10, 10, 3), np.uint8))
