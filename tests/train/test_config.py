from __future__ import annotations

import json
from pathlib import Path

import pytest

from smap.network.losses import LossConfig
from smap.train import load_config, parse_config
from smap.train.config import plain

from .tiny import tiny_config

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("train*.toml"))


def test_survives_json() -> None:
    config = tiny_config()
    assert parse_config(json.loads(json.dumps(plain(config)))) == config


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_valid(path: Path) -> None:
    config = load_config(path)
    assert parse_config(json.loads(json.dumps(plain(config)))) == config


def test_there_are_examples() -> None:
    assert EXAMPLES


UPRIGHT_AND_WIDE = """
[[phases]]
until = 1.0
size = [96, 64]
batch = 1
upright = 0.5
[[data]]
kind = "scenes"
options = { width = 96 }
[schedule]
steps = 1
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", "Invalid value"),
        ("[schedule]\nstep = 3", r"schedule must have known fields only, got \['step'\]"),
        ("[schedule]\npeak = 1.0", r"schedule must set \['steps'\]"),
        ("[schedule]\nsteps = 3", "phases must be at least one"),
        ("[loss]\npreset = 'best'", "loss preset must be 'native' or 'release', got 'best'"),
        ("[network]\npreset = 'huge'", "network preset must be 'small' or 'paper', got 'huge'"),
        ("[[phases]]\nuntil = 1.0\nsize = [100, 64]\nbatch = 1\n[schedule]\nsteps = 1", "multiples of 32"),
        ("[schedule]\nsteps = 'a'", "schedule must have values of the declared types, got {'steps': 'a'}"),
        ("[schedule]\nsteps = 3\npeak = nan", "peak must be positive, got nan"),
        ("[schedule]\nsteps = 3\n[validation]\nevery = 0", "validation every must be at least 1, got 0"),
        ("[schedule]\nsteps = 3\n[validation]\ncount = 0", "validation count must be at least 1, got 0"),
        (UPRIGHT_AND_WIDE.replace("0.5", "2.0"), "upright must be in .*, got 2.0"),
        (UPRIGHT_AND_WIDE, "data options must leave width and height to upright steps, got {'width': 96}"),
    ],
)
def test_names_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_a_pack_is_for_the_tables_that_name_none(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    tables = ("kind = 'scenes'", "kind = 'scenes'\npath = 'own'", "kind = 'coco'\npath = 'coco'")
    text = "[schedule]\nsteps = 1\n[[phases]]\nuntil = 1.0\nsize = [64, 64]\nbatch = 1\n"
    text += "".join(f"[[data]]\n{table}\n" for table in tables)
    path.write_text(text + "[validation]\nsource = { kind = 'scenes', split = 'val' }\n")
    for pack, filled in ((None, None), (Path("pack"), "pack")):
        config = load_config(path, pack)
        assert [source.path for source in config.data] == [filled, "own", "coco"]
        assert config.validation.source is not None and config.validation.source.path == filled


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="config must be an existing TOML file"):
        load_config(tmp_path / "none.toml")


def test_release_losses_are_in_the_authors_units() -> None:
    loss = LossConfig.from_dict({"preset": "release"}, 832)
    assert loss.heatmaps == pytest.approx(0.1 * 255**2)
    assert loss.root_depth * 832 == pytest.approx(10 * 100)
    assert [loss.scale_index(k, last_stage=True) for k in range(4)] == [1, 2, 3, 4]
    assert [loss.scale_index(k, last_stage=False) for k in range(4)] == [0, 1, 2, 3]
