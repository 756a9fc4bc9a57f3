from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import smap
from smap.cli import commands, main
from smap.image import encode_png


@pytest.mark.parametrize("command", [[], *([name] for name in commands())])
def test_help_everywhere(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(" ".join(["usage: smap", *command])) and "--help" in out
    if not command:
        assert set(commands()) <= set(out.split())


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys; from smap.cli import build_parser; build_parser(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_command_says_what_it_does() -> None:
    for name, module_name in commands().items():
        module = importlib.import_module(f"smap.cli.{module_name}")
        first = (module.__doc__ or "").strip().splitlines()[0]
        assert first.endswith(".") and len(first) <= 120, name


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"smap {smap.__version__}, torch ") and " ops" in out and "not built" not in out


@pytest.mark.parametrize("argv", [[], ["fly"], ["predict"], ["predict", "--device"]])
def test_wrong_use_is_one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "smap", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("smap ")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_no_error(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "smap", "--version"]
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, env=env)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_goes_on_when_nobody_reads_its_progress(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    out = ["--out", str(tmp_path / "scenes"), "--count", "2", "--size", "64x64"]
    done = subprocess.run([sys.executable, "-m", "smap", "scenes", *out], stdout=writer, stderr=writer, timeout=120)
    os.close(writer)
    assert done.returncode == 0
    assert len(list((tmp_path / "scenes").rglob("*.jpg"))) == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    out = tmp_path / "scenes"
    command = f"{sys.executable} -m smap scenes --out {out} --count 2 --size 64x64 {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr if "2>" in closed else done.stdout) == (0, "")
    assert len(list(out.rglob("*.jpg"))) == 2


def test_a_full_disk_behind_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "smap", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No space left" in done.stderr


def test_names_that_stdout_cannot_encode_are_escaped(tmp_path: Path) -> None:
    names = [b"a.png", b"b\xff.png", b"c.png"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(encode_png(np.zeros((40, 60, 3), np.uint8)))
    command = [sys.executable, "-m", "smap", "predict", str(tmp_path), "--device", "cpu"]
    env = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, capture_output=True, timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    assert b"b\\udcff.png" in done.stdout and b"c.png" in done.stdout


@pytest.mark.parametrize("text", ["CUDA out of memory.", "DefaultCPUAllocator: can't allocate memory: you tried to"])
def test_too_little_memory_is_one_line(text: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def run(_: object) -> int:
        raise RuntimeError(text)

    monkeypatch.setattr("smap.cli.predict.run", run)
    assert main(["predict", "a.png"]) == 2
    assert capsys.readouterr().err == f"smap predict: {text}\n"


def test_without_docstrings() -> None:
    command = [sys.executable, "-OO", "-m", "smap", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMAP_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        main(["predict", "nowhere.png"])
