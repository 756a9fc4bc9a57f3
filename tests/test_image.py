from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from smap.image import read_image, to_rgb

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    path = tmp_path / "a b ü.png"  # spaces and non-ASCII names are common
    ok, data = cv2.imencode(".png", PICTURE[..., ::-1])
    assert ok
    path.write_bytes(data.tobytes())
    return path


def test_every_kind_of_input_is_the_same_picture(picture_file: Path) -> None:
    tensor = torch.from_numpy(PICTURE)
    for image in (picture_file, str(picture_file), PICTURE, tensor, tensor.permute(2, 0, 1)):
        np.testing.assert_array_equal(to_rgb(image), PICTURE)
    np.testing.assert_array_equal(to_rgb(PICTURE[..., ::-1], "bgr"), PICTURE)
    np.testing.assert_array_equal(to_rgb(PICTURE[:, ::-1]), PICTURE[:, ::-1])


def test_pil_image() -> None:
    pil = pytest.importorskip("PIL.Image")
    np.testing.assert_array_equal(to_rgb(pil.fromarray(PICTURE)), PICTURE)
    with pytest.raises(ValueError, match="image must have at most"):
        to_rgb(pil.new("1", (100_001, 10_000)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pil_images_are_turned_as_files_are(tmp_path: Path, orientation: int) -> None:
    pil = pytest.importorskip("PIL.Image")
    exif = pil.Exif()
    exif[0x0112] = orientation
    ramp = np.add.outer(np.arange(40) * 2, np.arange(60) * 2)[..., None] + np.array([0, 20, 40])
    pil.fromarray(ramp.astype(np.uint8)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    ours, theirs = to_rgb(tmp_path / "a.jpg"), to_rgb(pil.open(tmp_path / "a.jpg"))
    assert ours.shape == theirs.shape == ((40, 60, 3) if orientation < 5 else (60, 40, 3))
    assert np.abs(ours.astype(int) - theirs).max() < 8


def test_pil_images_of_wide_integers_with_8_bit_in_them_are_not_black() -> None:
    pil = pytest.importorskip("PIL.Image")
    np.testing.assert_array_equal(to_rgb(pil.fromarray(PICTURE[..., 0].astype(np.int32))), PICTURE[..., [0, 0, 0]])


def test_pil_images_of_16_bit_are_what_files_are(tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image")
    grey = np.random.default_rng(0).integers(0, 2**16, (20, 30), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    ours, theirs = to_rgb(tmp_path / "a.png"), to_rgb(pil.open(tmp_path / "a.png"))
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (PICTURE.astype(np.float32), TypeError, "image must be uint8, 0 to 255, got float32"),
        (PICTURE[..., 0], ValueError, r"image must be \(H, W, 3\)"),
        (PICTURE[..., :2], ValueError, r"image must be \(H, W, 3\)"),
        (np.zeros((0, 5, 3), np.uint8), ValueError, "at least one pixel"),
        (PICTURE[None], ValueError, r"got \(1, 20, 30, 3\)"),
        (7, TypeError, "got int"),
        ("missing.jpg", FileNotFoundError, "image must be an existing file, got 'missing.jpg'"),
    ],
)
def test_bad_input_gives_one_clear_error(image: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        to_rgb(image)


@pytest.mark.parametrize("kind", ["file", "bytes"])
def test_an_open_file_is_refused_and_stays_usable(kind: str, picture_file: Path) -> None:
    with picture_file.open("rb") if kind == "file" else io.BytesIO(b"picture") as file:
        with pytest.raises(TypeError, match="image must be a path, an array, a uint8 tensor or a PIL image, got B"):
            to_rgb(file)
        assert file.read()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_a_truncated_pil_image_is_the_error_of_a_truncated_file(suffix: str) -> None:
    pil = pytest.importorskip("PIL.Image")
    data = cv2.imencode(suffix, cv2.resize(PICTURE, (300, 200)))[1].tobytes()
    with pytest.raises(ValueError, match="image must be a complete picture that PIL reads, got"):
        to_rgb(pil.open(io.BytesIO(data[: len(data) // 2])))


def test_bad_files(tmp_path: Path, picture_file: Path) -> None:
    empty, text = tmp_path / "empty.png", tmp_path / "text.jpg"
    empty.write_bytes(b"")
    text.write_text("not a picture")
    jpeg = cv2.imencode(".jpg", cv2.resize(PICTURE, (300, 200)))[1].tobytes()
    truncated = tmp_path / "truncated.jpg"
    truncated.write_bytes(jpeg[: len(jpeg) // 2])
    cut_png = tmp_path / "cut.png"
    png = cv2.imencode(".png", cv2.resize(PICTURE, (300, 200)))[1].tobytes()
    cut_png.write_bytes(png[: len(png) // 2])
    for path in (empty, text, truncated, cut_png):
        with pytest.raises(ValueError, match=path.name):
            read_image(path)


def test_absurdly_large_file_is_refused_by_its_header(tmp_path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    path = tmp_path / "large.png"
    path.write_bytes(header + b"\x00" * 64)
    with pytest.raises(ValueError, match=r"large\.png"):
        read_image(path)


def test_bytes_behind_the_picture_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(cv2.imencode(".jpg", PICTURE)[1].tobytes() + b"trailer" * 100)
    assert read_image(path).shape == PICTURE.shape
