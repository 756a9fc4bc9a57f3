from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import smap
from smap.cli import commands, main


@pytest.mark.parametrize("command", [[], *([name] for name in commands())])
def test_help_everywhere(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(" ".join(["usage: smap", *command])) and "--help" in out
    if not command:
        assert set(commands()) <= set(out.split())


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


def test_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMAP_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        main(["predict", "nowhere.png"])
