"""What the camera changes: the same picture under three focal lengths. `python examples/02_camera.py [IMAGE]`.

Metres need intrinsics. Without them the focal length is guessed to be the image width (53 degrees): the order of the
people in depth stays right, all distances share the guess's error.
"""

import sys
from pathlib import Path

import smap
from smap.image import read_image

image = read_image(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("scene.jpg"))
height, width = image.shape[:2]
estimator = smap.Estimator()

cameras = {
    "guess": None,
    "40 degrees": smap.Camera.from_fov(width, height, 40),
    "80 degrees": smap.Camera.from_fov(width, height, 80),
    # From a calibration: smap.Camera(fx, fy, cx, cy), pixels; the centre of the first pixel is (0, 0).
}
for name, camera in cameras.items():
    people = estimator.predict(image, camera)
    print(f"{name:>10}: depths {[round(person.depth, 2) for person in people]} m")
