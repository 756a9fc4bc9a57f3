"""A picture in, people in metres out: `python examples/01_predict.py [IMAGE]`."""

import sys
from pathlib import Path

import smap

image = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("scene.jpg")
people = smap.Estimator().predict(image)

print(f"{len(people)} people, near to far; x right, y down, z forward, metres from the camera")
for person in people:
    print(person)
