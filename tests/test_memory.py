"""Freed memory serves again; each case in a process of its own, since malloc remembers."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")

FAULTS = """
import resource, torch
torch.set_num_threads(1)

def faults(call, rounds=5):
    for _ in range(15):  # until all pieces that are cut off large blocks have a place
        call()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / rounds
"""


TARGETS = """
from smap import SMAP15
from smap.ops import make_targets

def targets(batch, height, width):
    joints, depths = torch.zeros(batch, 1, 15, 2), torch.ones(batch, 1, 15)
    people = joints, depths, torch.ones(batch, 1, 15, dtype=torch.uint8), torch.ones(batch)
    return make_targets(*people, torch.tensor(SMAP15.limbs), torch.full((5, 2), 2.0), (height, width))

"""


def printed(program: str) -> list[float]:
    """What a program that ends with a line of numbers prints."""
    run = subprocess.run([sys.executable, "-c", FAULTS + program], capture_output=True, text=True, check=True)
    return [float(word) for word in run.stdout.split()]


def test_predictions_touch_the_pages_of_the_one_before() -> None:
    image = Path(__file__).parents[1] / "examples" / "scene.jpg"
    program = f"""
import smap
from smap.image import to_rgb
estimator, picture = smap.Estimator(), to_rgb({str(image)!r})
print(faults(lambda: estimator.predict(picture)))
"""
    (count,) = printed(program)
    assert count < 300  # 2,000 without


def test_a_process_can_keep_all_that_it_freed() -> None:
    before, can, after = printed("""
from smap.memory import keep_freed_memory
fill = lambda: torch.ones(1 << 25)
print(faults(fill), int(keep_freed_memory()), faults(fill))
""")
    assert can
    assert after < 100 < before


def test_targets_take_the_pages_of_the_ones_before() -> None:
    (count,) = printed(TARGETS + "print(faults(lambda: targets(1, 128, 208)))")  # 30 MB
    assert count < 300  # 7,400 without, in one process or another


def test_large_targets_come_in_large_pages() -> None:
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not pages.exists() or "[never]" in pages.read_text():
        pytest.skip("needs a kernel with large pages")
    (count,) = printed(TARGETS + "print(faults(lambda: targets(2, 256, 416)))")
    bytes_written = 2 * 5 * 57 * 256 * 416 * 4
    assert count < bytes_written / 4096 / 10
