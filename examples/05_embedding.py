"""Inside other pipelines: one exported program, compiled graphs, gradients. `python examples/05_embedding.py [IMAGE]`.

`smap export --compile smap.pt2` makes a package that C++ runs without Python: `examples/cpp`.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import smap
from smap.export import Pipeline, export_program, load
from smap.image import read_image

# Normalisation, network, decode, lift and refinement are one module: tensors in, tensors out. Exported it is a file for
# batches of any size that knows its canvas and skeleton. `torch.export.load` reads it too, once `smap.ops` is imported.
image = read_image(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("scene.jpg"))
with tempfile.TemporaryDirectory() as folder:
    export_program(Pipeline.of(), Path(folder) / "smap.pt2")
    program = load(Path(folder) / "smap.pt2")
people, mirrored = program.predict([image, np.ascontiguousarray(image[:, ::-1])])
print(
    f"exported program: {len(people)} people at {[round(person.depth, 2) for person in people]} m, "
    f"in the mirror {len(mirrored)}"
)

# The ops compile with what is around them and pass gradients on. Here the depths of an arm are moved until its bones
# have known lengths, on the rays of what the camera saw. (The default backend, inductor, makes machine code of it.)
camera = torch.tensor([[800.0, 800.0, 320.0, 240.0]])  # fx, fy, cx, cy
truth = torch.tensor([[[0.2, 0.0, 3.0], [0.35, 0.22, 3.1], [0.4, 0.3, 2.87]]])  # shoulder, elbow, wrist
seen = truth[..., :2] / truth[..., 2:] * camera[:, None, :2] + camera[:, None, 2:]
lengths = truth.diff(dim=1).norm(dim=-1)


@torch.compile(fullgraph=True, backend="aot_eager")
def error(depth: torch.Tensor) -> torch.Tensor:
    bones = smap.ops.back_project(seen, depth, camera).diff(dim=1).norm(dim=-1)
    return ((bones - lengths) ** 2).sum()


depth = torch.tensor([[3.0, 3.05, 2.95]], requires_grad=True)
optimiser = torch.optim.Adam([depth], lr=0.01)
for _ in range(300):
    optimiser.zero_grad()
    loss = error(depth)
    loss.backward()
    optimiser.step()
    with torch.no_grad():
        depth[:, 0] = 3.0  # lengths alone leave the distance open
print(f"arm: depths {[round(z, 3) for z in depth[0].tolist()]} m, error {loss.item():.1e} m^2")
