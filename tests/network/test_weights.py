"""Weights files: what goes in comes out; what does not fit is refused with one clear message."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smap.errors import WeightsError
from smap.network import (
    Hourglass,
    RefineNet,
    RefinerConfig,
    convert,
    load_network,
    load_refiner,
    read_notes,
    save_network,
    save_refiner,
)

from .test_hourglass import HAND, TINY, randomise
from .test_release import random_release


@pytest.fixture
def network() -> Hourglass:
    return randomise(Hourglass(replace(TINY, skeleton=HAND, training_width=128)))


def test_network_survives_a_file(network, tmp_path):
    path = tmp_path / "net.safetensors"
    save_network(network, path, notes={"pictures": "12"})
    again = load_network(path)
    assert again.config == network.config
    assert not again.training
    x = torch.randn(1, 3, 32, 64)
    for a, b in zip(network(x), again(x), strict=True):
        assert torch.equal(a, b)
    assert read_notes(path) == {"pictures": "12"}
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode  # readable by whom the user's files are
    again.train().raw(x.repeat(2, 1, 1, 1))[0][0].heatmaps.sum().backward()  # and can be trained further


def test_half_precision_halves_the_file(network, tmp_path):
    save_network(network, tmp_path / "full.safetensors")
    save_network(network, tmp_path / "half.safetensors", dtype=torch.float16)
    full, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half"))
    assert half < 0.65 * full
    again = load_network(tmp_path / "half.safetensors")
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    x = torch.randn(1, 3, 32, 64)
    for a, b in zip(network(x), again(x), strict=True):
        assert (a - b).abs().max() < 5e-3 * a.std()
    with pytest.raises(TypeError, match="dtype must be one of"):
        save_network(network, tmp_path / "x.safetensors", dtype=torch.int8)


def test_refiner_survives_a_file(tmp_path):
    refiner = RefineNet(RefinerConfig(skeleton=HAND, hidden=(8, 4))).eval()
    save_refiner(refiner, tmp_path / "r.safetensors")
    again = load_refiner(tmp_path / "r.safetensors")
    assert again.config == refiner.config
    features = torch.randn(4, 3, 5)
    assert torch.equal(refiner(features), again(features))
    with pytest.raises(WeightsError, match="must hold a network, got a refiner"):
        load_network(tmp_path / "r.safetensors")


def test_saving_replaces_only_what_is_complete(network, tmp_path):
    path = tmp_path / "net.safetensors"
    save_network(network, path)
    before = path.read_bytes()
    network.stem[0].conv.weight.data[0] = torch.inf
    with pytest.raises(ValueError, match=r"must be finite.*stem\.0\.conv\.weight"):
        save_network(network, path)
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError, match="existing folder"):
        save_network(network, tmp_path / "nowhere" / "net.safetensors")
    # Overwriting must not change weights that were loaded from the file before.
    loaded = load_network(path)
    kept = loaded.stem[1].conv.weight.clone()
    network.stem[0].conv.weight.data.zero_()
    network.stem[1].conv.weight.data.zero_()
    save_network(network, path)
    assert torch.equal(loaded.stem[1].conv.weight, kept)


def release_file(path: Path, *, bare=False, module=False, legacy=False) -> Path:
    state = random_release(1)
    if module:
        state = {f"module.{key}": value for key, value in state.items()}
    content = state if bare else {"model": state, "iteration": 3}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize(
    "form",
    [{}, {"bare": True, "module": True}, {"legacy": True}],
    ids=["under model", "bare, from DataParallel", "file format of torch 1.5"],
)
def test_authors_files(tmp_path, form):
    source = release_file(tmp_path / "SMAP.pth", **form)
    target = tmp_path / "out.safetensors"
    assert convert(source, target, first_limb="head-neck") == "network"
    assert read_notes(target) == {"converted from": "SMAP.pth", "first limb": "head-neck"}
    native, direct = load_network(target), load_network(source, first_limb="head-neck")
    assert native.config == direct.config
    ours, theirs = native.state_dict(), direct.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    with pytest.raises(WeightsError, match="got a safetensors file"):
        convert(target, tmp_path / "again.safetensors")


def test_authors_refiner(tmp_path, shared):
    from .official import release_state

    torch.save(release_state(shared, "refinenet"), tmp_path / "RefineNet.pth")
    assert convert(tmp_path / "RefineNet.pth", tmp_path / "r.safetensors") == "refiner"
    native, direct = load_refiner(tmp_path / "r.safetensors"), load_refiner(tmp_path / "RefineNet.pth")
    features = torch.randn(2, 15, 5)
    assert torch.equal(native(features), direct(features))
    with pytest.raises(WeightsError, match="got those of the refiner"):
        load_network(tmp_path / "RefineNet.pth")


class Bomb:
    """Unpickled by a trusting reader, it would create a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    for legacy in (False, True):
        torch.save({"model": Bomb(tmp_path / "ran")}, tmp_path / "x.pth", _use_new_zipfile_serialization=not legacy)
        with pytest.raises(WeightsError, match="must hold tensors only") as error:
            load_network(tmp_path / "x.pth")
        assert "\n" not in str(error.value)
    (tmp_path / "x.pth").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(WeightsError, match="must hold tensors only"):
        load_network(tmp_path / "x.pth")
    assert not (tmp_path / "ran").exists()


def test_compressed_archives_are_refused(tmp_path):
    source = release_file(tmp_path / "SMAP.pth")
    with zipfile.ZipFile(source) as a, zipfile.ZipFile(tmp_path / "z.pth", "w", zipfile.ZIP_DEFLATED) as b:
        for entry in a.infolist():
            content = a.read(entry)
            b.writestr(entry.filename, content if len(content) < 1000 else bytes(len(content)))
    with pytest.raises(WeightsError, match="must not be compressed"):
        load_network(tmp_path / "z.pth")


def test_endless_repr_is_not_printed(tmp_path):
    """Nested references whose repr would take 2^60 characters."""
    value: list = ["x"]
    for _ in range(60):
        value = [value, value]
    torch.save({"model": {"key": value}}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="state_dict of tensors, got list under a str key"):
        load_network(tmp_path / "x.pth")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", b"not weights at all", b"PK\x03\x04" + bytes(40), b"\x80\x02}q\x00.", bytes(4096)],
    ids=["empty", "one byte", "text", "broken zip", "empty dict", "zeros"],
)
@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
@pytest.mark.parametrize("load", [load_network, load_refiner])
def test_files_that_are_no_weights(tmp_path, content, name, load):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError) as error:
        load(tmp_path / name)
    assert str(tmp_path / name) in str(error.value) and "must" in str(error.value)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_truncated_files(network, tmp_path, keep):
    save_network(network, tmp_path / "x.safetensors")
    release_file(tmp_path / "x.pth")
    for name in ("x.safetensors", "x.pth"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(len(content) * keep)])
        with pytest.raises(WeightsError):
            load_network(tmp_path / name)


def rewrite_metadata(path: Path, change) -> None:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def test_native_files_that_do_not_fit(network, tmp_path):
    path = tmp_path / "net.safetensors"

    def broken(change, match):
        save_network(network, path)
        rewrite_metadata(path, change)
        with pytest.raises(WeightsError, match=match):
            load_network(path)

    def configure(**values):
        def change(header):
            meta = header["__metadata__"]
            meta["config"] = json.dumps(json.loads(meta["config"]) | values)

        return change

    broken(lambda header: header.pop("__metadata__"), "written by this library")
    broken(lambda header: header["__metadata__"].update(format="smap-99"), r"format 'smap-1'.*got 'smap-99'")
    broken(lambda header: header["__metadata__"].update(config="{"), "valid network configuration")
    broken(configure(colour="red"), r"known fields only, got \['colour'\]")
    broken(configure(skeleton={"joints": []}), "valid network configuration")
    broken(configure(blocks=[10**9] * 4), "at most 1000 blocks")
    broken(configure(stages=1.5), "valid network configuration")
    broken(configure(decoder_channels=32), "mis-shaped.*instead of")
    broken(lambda header: header.update(extra=header.pop("stem.0.conv.weight")), "missing.*unexpected")


def test_missing_files(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(FileNotFoundError, match="weights must be an existing file"):
            load_network(path)
    with pytest.raises(FileNotFoundError, match="weights must be an existing file"):
        convert(tmp_path / "none.pth", tmp_path / "out.safetensors")


def test_checkpoint_of_something_else(tmp_path):
    for content, match in (
        ([1, 2], "got list"),
        ({}, "got dict"),
        ({"model": {"epoch": 3}}, "got int under a str key"),
        ({"model": {"fc.weight": torch.zeros(1)}}, "got 0 stages"),
    ):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        (tmp_path / "x.pth").write_bytes(buffer.getvalue())
        with pytest.raises(WeightsError, match=match):
            load_network(tmp_path / "x.pth")
