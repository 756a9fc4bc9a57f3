"""A folder in, pictures of the result out: `python examples/03_pictures.py [FOLDER] [OUT]`.

What `smap predict FOLDER --overlay --view3d --json --out OUT` does, in a few lines to start from.
"""

import sys
from pathlib import Path

import smap
from smap.draw import contact_sheet, overlay
from smap.image import IMAGE_SUFFIXES, encode_png, read_image
from smap.view3d import View, render

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("out")
out.mkdir(parents=True, exist_ok=True)
estimator = smap.Estimator()

for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES):
    image = read_image(path)
    people = estimator.predict(image)
    (out / f"{path.stem}.json").write_text(people.to_json())
    above, side = render(people), render(people, view=View(azimuth=90, elevation=10))
    sheet = contact_sheet([overlay(image, people), above, side], columns=3, tile=(480, 360))
    (out / f"{path.stem}_sheet.png").write_bytes(encode_png(sheet))
    print(f"{path.name}: {len(people)} people -> {out / path.stem}_sheet.png")
