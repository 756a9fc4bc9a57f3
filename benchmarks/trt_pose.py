"""The parser of trt_pose (https://github.com/NVIDIA-AI-IOT/trt_pose, MIT), compiled from a checkout and called bare.

Its C++ steps with the defaults of its ``ParseObjects`` (trt_pose/parse_objects.py), into buffers that are kept, without
the tensors that the package allocates and clears around them in every call: no slower than the package itself.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from smap import SMAP15, Maps

PARTS = ("find_peaks", "refine_peaks", "paf_score_graph", "munkres", "connect_parts")
CAPACITY = 100  # peaks per joint, and people
CALL = """
#include <algorithm>
%s
using namespace trt_pose::parse;
extern "C" int parse(const float* heatmaps, const float* pafs, const int* topology, int J, int L, int H, int W,
                     int* counts, int* peaks, float* places, float* scores, int* links, int* objects, void* workspace) {
  const int M = %d;
  const float threshold = 0.1f, link_threshold = 0.1f;
  const int window = 5, samples = 7;
  int found = 0;
  find_peaks_out_nchw(counts, peaks, heatmaps, 1, J, H, W, M, threshold, window);
  refine_peaks_out_nchw(places, counts, peaks, heatmaps, 1, J, H, W, M, window);
  paf_score_graph_out_nkhw(scores, topology, pafs, counts, places, 1, L, J, H, W, M, samples);
  std::fill(links, links + L * 2 * M, -1);
  assignment_out_nk(links, scores, topology, counts, 1, J, L, M, link_threshold, workspace);
  connect_parts_out_batch(&found, objects, links, topology, counts, 1, L, J, M, M, workspace);
  return found;
}
"""


class TrtPose:
    def __init__(self, checkout: Path) -> None:
        folder, build = checkout / "trt_pose" / "parse", Path(tempfile.mkdtemp(prefix="trt_pose"))
        call, library = build / "call.cpp", build / "trt_pose.so"
        call.write_text(CALL % ("\n".join(f'#include "{part}.hpp"' for part in PARTS), CAPACITY))
        sources = [str(call), *(str(folder / f"{part}.cpp") for part in PARTS)]
        flags = ["-O3", "-std=c++17", "-shared", "-fPIC", f"-I{folder}"]
        subprocess.run(["c++", *flags, *sources, "-o", str(library)], check=True)
        self._parse = ctypes.CDLL(str(library)).parse
        joints, limbs = SMAP15.num_joints, SMAP15.num_limbs
        # Of a limb: channels of its PAF's y and x, and its joints.
        rows = [(2 * i + 1, 2 * i, parent, child) for i, (parent, child) in enumerate(SMAP15.limbs)]
        self._topology = np.array(rows, np.int32)
        self._places = np.zeros((joints, CAPACITY, 2), np.float32)
        self._objects = np.zeros((CAPACITY, joints), np.int32)
        buffers = [
            np.zeros(joints, np.int32),
            np.zeros((joints, CAPACITY, 2), np.int32),
            self._places,
            np.zeros((limbs, CAPACITY, CAPACITY), np.float32),
            np.zeros((limbs, 2, CAPACITY), np.int32),
            self._objects,
            np.zeros(CAPACITY * max(CAPACITY, joints), np.float32),
        ]
        self._keep = buffers
        self._addresses = [ctypes.c_void_p(buffer.ctypes.data) for buffer in buffers]

    def prepare(self, maps: Maps) -> tuple[object, ...]:
        """Arguments of ``run`` for the first image; its layout is that of this library's maps."""
        heatmaps, pafs = (t[0].to(torch.float32).contiguous() for t in (maps.heatmaps, maps.pafs))
        maps_and_topology = [ctypes.c_void_p(p) for p in (heatmaps.data_ptr(), pafs.data_ptr())]
        maps_and_topology.append(ctypes.c_void_p(self._topology.ctypes.data))
        sizes = map(int, (SMAP15.num_joints, SMAP15.num_limbs, *heatmaps.shape[1:]))
        return (heatmaps, pafs), (*maps_and_topology, *sizes, *self._addresses)

    def run(self, _alive: object, arguments: tuple[object, ...]) -> int:
        return int(self._parse(*arguments))

    def places(self, found: int, size: tuple[int, int]) -> NDArray[np.float64]:
        """``(P, J, 2)`` map pixels of the people of the last ``run``, NaN for joints that were not found.

        A lone peak is left out, as in this library.
        """
        people = self._objects[:found]
        people = people[(people >= 0).sum(-1) >= 2]
        yx = self._places[np.arange(people.shape[1]), people] * np.array(size) - 0.5
        return np.where(people[..., None] >= 0, yx[..., ::-1], np.nan)
