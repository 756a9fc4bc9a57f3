"""Maps of a network of your own, with a skeleton of your own, to people in metres: `python examples/04_own_maps.py`.

Here the maps are the training targets of two people, so the answer is known.
"""

import torch

import smap
from smap.ops import make_targets

# A skeleton is joints, limbs (parent, child) from the root outwards, and mean limb lengths in metres.
arm = smap.Skeleton(("shoulder", "elbow", "wrist"), ((0, 1), (1, 2)), (0.31, 0.25))

# Two arms in front of a camera whose picture is the network's input: no scaling, no border.
camera = smap.Camera.from_fov(640, 480, 60)
box = smap.Letterbox.fit(640, 480, input_size=(640, 480), stride=4)
truth = torch.tensor(
    [
        [[-0.5, 0.0, 2.5], [-0.4, 0.25, 2.3], [-0.2, 0.15, 2.2]],
        [[0.4, -0.2, 4.0], [0.55, 0.05, 4.1], [0.75, 0.1, 4.0]],
    ]
)
xy = torch.from_numpy(box.image_to_map(camera.project(truth.numpy()))).float()
targets = make_targets(
    xy[None],
    truth[None, ..., 2],
    visibility=torch.ones(1, 2, 3, dtype=torch.uint8),
    depth_scale=torch.tensor([1 / box.depth_factor(camera.fx)]),
    limbs=torch.tensor(arm.limbs),
    scales=torch.tensor([[1.5, 1.0]]),
    size=(box.map_size[1], box.map_size[0]),
)

maps = smap.Maps(targets.heatmaps[:, 0], targets.pafs[:, 0], targets.limb_depths[:, 0], targets.root_depth, arm)
people = smap.lift(maps, smap.decode(maps), box, camera)[0]
for person, expected in zip(people, truth, strict=True):
    error = (torch.from_numpy(person.joints_3d) - expected).norm(dim=-1).max()
    print(person, f"- within {float(error) * 100:.1f} cm")
