"""Writes the README's tables of times from pytest-benchmark's JSON: figures in the README come from nowhere else.

pytest benchmarks --benchmark-enable --benchmark-only --benchmark-json benchmarks/results/cpu.json
pytest benchmarks/bench_peers.py --benchmark-enable --benchmark-only --benchmark-json benchmarks/results/peers.json
python benchmarks/report.py
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
OPTIONS = "--benchmark-enable --benchmark-only --benchmark-json benchmarks/results"
PEERS = "peers"  # the file, and the group of benchmarks that stand beside each other
SINGLE_OPS = {path.stem for path in (ROOT / "python" / "smap" / "ops").glob("*.py")} - {"make_targets"}  # groups


def duration(seconds: float) -> str:
    """Three significant digits in the unit that reads best."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def machine(info: dict[str, Any]) -> str:
    cpu = info.get("cpu", {})
    name = cpu.get("brand_raw") or info.get("processor") or "unknown processor"
    return f"{name}, {cpu.get('count', '?')} cores, Python {info.get('python_version', '?')}"


def tables(result: dict[str, Any]) -> str:
    """One results file as Markdown: a heading with machine and date, then a row per benchmark, single ops folded up."""
    gpus = sorted({b["extra_info"].get("device", "cpu") for b in result["benchmarks"]} - {"cpu"})
    heading = f"{', '.join([machine(result['machine_info']), *gpus])}; {result['datetime'][:10]}:"
    timed = [b for b in result["benchmarks"] if b["group"] != PEERS]
    single = [b for b in timed if b["group"] in SINGLE_OPS]
    parts = [heading, rows([b for b in timed if b not in single])]
    if single:
        parts += ["<details><summary>Single ops</summary>", rows(single), "</details>"]
    return "\n\n".join(parts)


def rows(benchmarks: list[dict[str, Any]]) -> str:
    lines = ["| group | benchmark | median | fastest |", "|---|---|---|---|"]
    for b in sorted(benchmarks, key=lambda b: by_numbers(f"{b['group']} {b['name']}")):
        name = b["name"].removeprefix("test_").replace("_", " ")
        stats = b["stats"]
        median, fastest = stats["median"], stats["min"]
        if "microseconds" in b["extra_info"]:  # on a device, where a round is many replays of a graph
            median = b["extra_info"]["microseconds"] / 1e6
            fastest *= median / stats["median"]
        lines.append(f"| {b['group']} | {name} | {duration(median)} | {duration(fastest)} |")
    return "\n".join(lines)


def by_numbers(name: str) -> list[tuple[str, int]]:
    """Sorts 3 before 20."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", name)]


def trim(path: Path) -> dict[str, Any]:
    """The results of a file, which keeps what the tables need: not every single round, nor whose machine it was."""
    result: dict[str, Any] = json.loads(path.read_text())
    for b in result["benchmarks"]:
        b["stats"].pop("data", None)
    for name in ("node", "release"):
        result["machine_info"].pop(name, None)
    result.pop("commit_info", None)
    path.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    return result


def latency() -> str:
    files = [path for path in sorted(RESULTS.glob("*.json")) if path.stem != PEERS]
    return "\n\n".join([f"`pytest benchmarks {OPTIONS}/NAME.json`", *(tables(trim(path)) for path in files)])


def peers() -> str:
    """A row per job, a column per library: time, in brackets how many times the first column's, joints found."""
    result = trim(RESULTS / f"{PEERS}.json")
    jobs: dict[str, dict[str, Any]] = {}
    for b in result["benchmarks"]:
        jobs.setdefault(b["extra_info"]["job"], {})[b["extra_info"]["who"]] = b
    names = list(dict.fromkeys(name for row in jobs.values() for name in row))
    lines = [f"`TRT_POSE=DIR pytest benchmarks/bench_peers.py {OPTIONS}/{PEERS}.json`", ""]
    lines += [f"{machine(result['machine_info'])}; {result['datetime'][:10]}:", ""]
    lines += [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for job, row in jobs.items():
        ours = row[names[0]]["extra_info"]["seconds"]
        lines.append(f"| {job} | {' | '.join(versus(row.get(name), ours) for name in names)} |")
    return "\n".join(lines)


def versus(b: dict[str, Any] | None, ours: float) -> str:
    if b is None:
        return ""
    info = b["extra_info"]
    times = info["seconds"] / ours
    ratio = "" if times == 1 else f" ({times:.{0 if times >= 10 else 1}f}x)"
    found = [f"{info[name]:.3f}".removeprefix("0") for name in ("recall", "precision") if name in info]
    return duration(info["seconds"]) + ratio + (f", {' / '.join(found)}" if found else "")


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text()
    for name, write in (("latency", latency), (PEERS, peers)):
        begin, end = f"<!-- {name}: benchmarks/report.py -->", f"<!-- /{name} -->"
        if begin not in text or end not in text:
            sys.exit(f"README.md must hold {begin} and {end}")
        body = f"{begin}\n{write()}\n{end}"
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _, body=body: body, text, flags=re.S)
    readme.write_text(text)


if __name__ == "__main__":
    main()
