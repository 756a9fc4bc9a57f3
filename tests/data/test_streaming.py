"""JSON in pieces gives what json.loads gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smap import DatasetError
from smap.data import streaming
from smap.data.streaming import stream_json

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
values = st.recursive(leaves, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=4), v, max_size=4))


def expected(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [("", element) for element in value]
    return [(k, e) for k, v in value.items() for e in (v if isinstance(v, list) else [v])]


@settings(max_examples=60)
@given(
    st.lists(values, max_size=5) | st.dictionaries(st.text(max_size=5), values, max_size=5),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
)
def test_any_chunk_size_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, value: Any, chunk: int, indent: int | None
) -> None:
    file = tmp_path_factory.mktemp("json") / "a.json"
    file.write_text(json.dumps(value, indent=indent), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "CHUNK", chunk)
        patch.setattr(streaming._Text.more, "__defaults__", (chunk,))
        assert list(stream_json(file)) == expected(value)


@pytest.mark.parametrize(
    "text", ["", "7", '"text"', "[1, 2", '{"a": [1, 2]', '{"a" 1}', "[1 2]", "[1,]", "[1] 2", "[nope]"]
)
def test_what_is_no_such_file_is_an_error_with_its_place(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(DatasetError, match=r"bad\.json: character \d+: the file must have"):
        list(stream_json(file))


def test_an_early_error_does_not_read_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"a": [{"b": nope}, ' + " " * 5_000_000 + "1]}")
    with pytest.raises(DatasetError, match="character 7"):
        list(stream_json(file))
