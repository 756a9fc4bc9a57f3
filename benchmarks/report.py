"""Writes the README's latency tables from pytest-benchmark's JSON: figures in the README come from nowhere else.

pytest benchmarks --benchmark-enable --benchmark-only --benchmark-json benchmarks/results/cpu.json
python benchmarks/report.py
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "pytest benchmarks --benchmark-enable --benchmark-only --benchmark-json benchmarks/results/NAME.json"
BEGIN, END = "<!-- latency: benchmarks/report.py -->", "<!-- /latency -->"


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


def table(result: dict[str, Any]) -> str:
    """One results file as Markdown: a heading with machine and date, then a row per benchmark."""
    gpus = sorted({b["extra_info"]["gpu"] for b in result["benchmarks"] if "gpu" in b["extra_info"]})
    lines = [f"{', '.join([machine(result['machine_info']), *gpus])}; {result['datetime'][:10]}:", ""]
    lines += ["| group | benchmark | median | fastest |", "|---|---|---|---|"]
    for b in sorted(result["benchmarks"], key=lambda b: (b["group"] or "", b["name"])):
        name = b["name"].removeprefix("test_").replace("_", " ")
        stats = b["stats"]
        lines.append(f"| {b['group']} | {name} | {duration(stats['median'])} | {duration(stats['min'])} |")
    return "\n".join(lines)


def trim(path: Path) -> dict[str, Any]:
    """The results of a file, which keeps what the tables need: not every single round, nor the machine's name."""
    result: dict[str, Any] = json.loads(path.read_text())
    for b in result["benchmarks"]:
        b["stats"].pop("data", None)
    result["machine_info"].pop("node", None)
    result.pop("commit_info", None)
    path.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    return result


def report(files: Iterable[Path]) -> str:
    tables = [table(trim(path)) for path in files]
    return "\n\n".join([f"`{COMMAND}`", *tables])


def main() -> None:
    files = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    readme = ROOT / "README.md"
    text = readme.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"README.md must hold {BEGIN} and {END}")
    body = f"{BEGIN}\n{report(files)}\n{END}"
    readme.write_text(re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: body, text, flags=re.S))


if __name__ == "__main__":
    main()
