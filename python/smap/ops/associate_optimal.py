"""The slow version of ``associate`` with ``"optimal"``.

Constants and reasons stand in ``csrc/core``: ``optimal.h``, ``limb_evidence.h`` and ``duplicates.h``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from .associate_reference import Array, Image, People, total

SAMPLES = ((40.0, 16), (12.0, 10), (0.0, 6))  # of a limb longer than so many map pixels
COUNTED_SHARE = 0.5
REACH, REACH_MARGIN = 1.9, 2.0
POINT, POINT_SCORE = 1.5, 0.15
SHORT_RATIO = 0.9
IMAGINED_FACTOR = 0.7
NEAR_FIRST = 0.1
WALK_REACH, WALK_STRENGTH, WALK_OVERSHOOT, WALK_SHARE = 1.1, 0.2, 1.0, 0.5
ONE_PLACE = 0.07
NO_WALK = 5.0
CANDIDATES = 8
UNIT = 65536
SWEEPS = 2
SIZE_PRIOR = 6.0
SAME_PLACE, SAME_DEPTH = 0.1, 1.15
OVERLAP_PLACE, OVERLAP_MARGIN, OVERLAP_DEPTH = 0.15, 0.4, 1.3


@dataclass(frozen=True)
class Evidence:
    paf: float
    length: float
    depth: float


@dataclass(frozen=True)
class Node:
    """A joint of a person: its peak and place, or an imagined place, or nothing."""

    peak: int = -1
    place: tuple[float, float] | None = None
    limb: Evidence = Evidence(0, 0, 0)


# The parent's peak and place, and the child peaks that were found from there.
Gathered = tuple[tuple[int, tuple[float, float]], list[tuple[int, Evidence]]]


@dataclass
class Person:
    depth: float
    origin: int
    nodes: list[Node] = field(default_factory=list)
    size: float = 1.0
    gathered: dict[int, Gathered] = field(default_factory=dict)  # by limb


def optimal(image: Image) -> People:
    people: list[Person] = []
    add(image, people, image.root, list(range(image.count[image.root])))
    for sweep in range(SWEEPS):
        for person in people if sweep > 0 else []:
            measure(image, person)
        for limb, (_, child, _) in enumerate(image.limbs):
            assign(image, people, limb)
            for person in people:
                imagine(image, person, limb)
            if limb == 0 and sweep == 0 and image.half_bodies:
                taken = {person.nodes[child].peak for person in people}
                before = len(people)
                add(image, people, child, [k for k in range(image.count[child]) if k not in taken])
                for person in people[before:]:
                    place = follow(image, person, 0, person.nodes[child].place, -1)
                    person.nodes[image.root] = Node(place=place)
    unite(image, people)
    rows = [(person.depth, [node.peak for node in person.nodes]) for person in people]
    return [(depth, row) for depth, row in rows if max(row) >= 0]


def unite(image: Image, people: list[Person]) -> None:
    twins = [next((q for q in people[:i] if same_body(image, p, q)), p) for i, p in enumerate(people)]
    for p, q in zip(people, twins, strict=True):
        if p is q:
            continue
        has = [sum(node.peak >= 0 for node in person.nodes) for person in (p, q)]
        stays, goes = (p, q) if has[0] > has[1] else (q, p)
        if stays.nodes[image.root].peak < 0 <= goes.nodes[image.root].peak:
            stays.depth = goes.depth
        stays.nodes = [a if a.peak >= 0 else b for a, b in zip(stays.nodes, goes.nodes, strict=True)]
        goes.nodes = [Node() for _ in goes.nodes]


def same_body(image: Image, p: Person, q: Person) -> bool:
    both = [(a.place, b.place) for a, b in zip(p.nodes, q.nodes, strict=True) if a.peak >= 0 and b.peak >= 0]
    apart = SAME_PLACE * scale_of(image, p) + 1
    near = all(a is not None and b is not None and math.dist(a, b) <= apart for a, b in both)
    return bool(both) and near and p.depth < SAME_DEPTH * q.depth and q.depth < SAME_DEPTH * p.depth


def without_overlaps(image: Image, found: People, heights: Array, max_overlap: float) -> People:
    """Without those who have next to no place of their own on the body of a surer person."""
    places = [[image.xy[joint, k] for joint, k in enumerate(row) if k >= 0] for _, row in found]
    sums = [total(heights, row) for _, row in found]

    def overlaps(p: int, q: int) -> bool:
        (near, _), (far, _) = sorted((found[p], found[q]), key=lambda person: person[0])
        surer = (sums[q], -q) > (sums[p], -p)
        if not surer or not far < OVERLAP_DEPTH * near:
            return False
        reach = OVERLAP_PLACE * scale_at(image, found[q][0]) + OVERLAP_MARGIN
        shared = [any(math.dist(a, b) <= reach for b in places[q]) for a in places[p]]
        return bool(sum(shared) > np.float32(max_overlap) * np.float32(len(shared)))

    people = range(len(found))
    return [found[p] for p in people if not any(overlaps(p, q) for q in people)]


def add(image: Image, people: list[Person], joint: int, peaks: list[int]) -> None:
    for k in peaks:
        person = Person(image.depth(joint, k), joint, [Node() for _ in image.count])
        person.nodes[joint] = Node(k, place_of(image, joint, k))
        people.append(person)


def place_of(image: Image, joint: int, k: int) -> tuple[float, float]:
    return float(image.xy[joint, k, 0]), float(image.xy[joint, k, 1])


def scale_of(image: Image, person: Person) -> float:
    return scale_at(image, person.depth)


def scale_at(image: Image, depth: float) -> float:
    width = image.root_depth.shape[1]
    return float(width / depth if depth > 0 else width)


def pixel(image: Image, x: float, y: float) -> tuple[int, int]:
    h, w = image.root_depth.shape
    return min(max(int(y + 0.5), 0), h - 1), min(max(int(x + 0.5), 0), w - 1)


def look(image: Image, limb: int, start: tuple[float, float], end: tuple[float, float]) -> Evidence | None:
    vector = np.subtract(end, start)
    length = float(np.hypot(*vector))
    if length < POINT:
        return Evidence(POINT_SCORE, length, 0)
    n = next(n for longer, n in SAMPLES if length > longer)
    along, depths = [], []
    for t in (np.arange(n) + 0.5) / n:
        y, x = pixel(image, *(np.asarray(start) + t * vector))
        along.append(float(vector @ image.pafs[limb, :, y, x]) / length * image.scale)
        if along[-1] > image.sample_threshold:
            depths.append(float(image.limb_depths[limb, y, x]))
    if len(depths) < (1 - COUNTED_SHARE) * n or not depths:
        return None
    return Evidence(float(np.mean(along)), length, float(np.mean(depths)))


def length_ratio(image: Image, person: Person, limb: int, evidence: Evidence) -> float:
    length = image.lengths[limb]
    return math.hypot(evidence.length / (scale_of(image, person) * length), evidence.depth / length)


def measure(image: Image, person: Person) -> None:
    ends = [(limb, person.nodes[child]) for limb, (_, child, _) in enumerate(image.limbs)]
    held = [(limb, end.limb) for limb, end in ends if end.peak >= 0 and end.limb.length >= POINT]
    ratios = [length_ratio(image, person, limb, evidence) for limb, evidence in held]
    person.size = (SIZE_PRIOR + sum(ratios)) / (SIZE_PRIOR + len(ratios))


def fit(image: Image, person: Person, limb: int, evidence: Evidence) -> float:
    if evidence.length < POINT:
        return evidence.paf
    ratio = length_ratio(image, person, limb, evidence) / person.size
    return evidence.paf - max(ratio - image.length_slack, 0) - max(SHORT_RATIO - ratio, 0)


def below(image: Image, joint: int) -> list[int]:
    """The joints beyond this one."""
    children = [child for parent, child, _ in image.limbs if parent == joint]
    return children + [j for child in children for j in below(image, child)]


def gather(image: Image, person: Person, limb: int) -> list[tuple[int, Evidence]]:
    """Child peaks worth considering, gathered once as long as the parent's place stays."""
    parent, child, _ = image.limbs[limb]
    start = person.nodes[parent]
    if start.place is None or person.origin == child:
        return []
    known = person.gathered.get(limb)
    if known is not None and known[0] == (start.peak, start.place):
        return known[1]
    found: list[tuple[float, int, Evidence]] = []
    reach = REACH * scale_of(image, person) * image.lengths[limb] + REACH_MARGIN
    for c in range(image.count[child]):
        end = place_of(image, child, c)
        evidence = look(image, limb, start.place, end) if math.dist(start.place, end) <= reach else None
        if evidence is None:
            continue
        if start.peak < 0:
            evidence = replace(evidence, paf=evidence.paf * IMAGINED_FACTOR)
        worth = fit(image, person, limb, evidence)
        if worth > 0:
            found.append((worth, c, evidence))
    best = [(c, evidence) for _, c, evidence in sorted(found, key=lambda f: -f[0])[:CANDIDATES]]
    person.gathered[limb] = ((start.peak, start.place), best)
    return best


def assign(image: Image, people: list[Person], limb: int) -> None:
    _, child, _ = image.limbs[limb]
    nearest = min((person.depth for person in people if person.depth > 0), default=0.0)
    holder = {person.nodes[child].peak: person for person in people if person.nodes[child].peak >= 0}
    branch = below(image, child)
    weights = [weight(image, people, person) for person in people]
    evidence: list[dict[int, Evidence]] = []
    profit = np.zeros((len(people), image.count[child]), np.int64)
    for p, person in enumerate(people):
        found = gather(image, person, limb)
        evidence.append(dict(found))
        near_first = NEAR_FIRST * nearest / person.depth if person.depth > 0 and image.ordinal_prior else 0.0
        for c, limb_evidence in found:
            worth = fit(image, person, limb, limb_evidence) + near_first
            owner = holder.get(c)
            if owner is not None and owner.origin == child:
                continue
            if owner is not None:
                hanging = [(k, owner.nodes[j]) for k, (_, j, _) in enumerate(image.limbs) if j in branch]
                worth += sum(fit(image, person, k, node.limb) for k, node in hanging if node.peak >= 0)
            profit[p, c] = max(int(weights[p] * worth * UNIT), 0)
    chosen = {int(p): int(c) for p, c in zip(*linear_sum_assignment(-profit), strict=True) if profit[p, c] > 0}
    before = [list(person.nodes) for person in people]
    for p, person in enumerate(people):
        if person.origin == child:
            continue
        peak = chosen.get(p, -1)
        owner = holder.get(peak)
        if peak >= 0:
            person.nodes[child] = Node(peak, place_of(image, child, peak), evidence[p][peak])
        else:
            person.nodes[child] = Node()
        if owner is not person:
            source = next((i for i, other in enumerate(people) if other is owner), -1)
            for j in branch:
                person.nodes[j] = before[source][j] if source >= 0 else Node()


def weight(image: Image, people: list[Person], person: Person) -> float:
    place, nearest = person.nodes[image.root].place, person.depth
    if place is None or not image.ordinal_prior:
        return 1.0
    for other in people:
        there = other.nodes[image.root].place
        if there is not None and math.dist(place, there) <= ONE_PLACE * scale_of(image, other):
            nearest = other.depth if 0 < other.depth < nearest else nearest
    return nearest / person.depth if nearest < person.depth else 1.0


def imagine(image: Image, person: Person, limb: int) -> None:
    parent, child, _ = image.limbs[limb]
    start = person.nodes[parent]
    if person.nodes[child].peak >= 0 or start.place is None:
        return
    place = follow(image, person, limb, start.place, 1)
    if place is None and scale_of(image, person) * image.lengths[limb] < NO_WALK:
        place = start.place
    if place is not None:
        person.nodes[child] = replace(person.nodes[child], place=place)


def follow(
    image: Image, person: Person, limb: int, start: tuple[float, float] | None, direction: int
) -> tuple[float, float] | None:
    assert start is not None
    reach = scale_of(image, person) * image.lengths[limb]
    h, w = image.root_depth.shape
    mean, place, steps = np.zeros(2), np.asarray(start), 0
    while steps < int(min(WALK_REACH * reach, 1e4)) + 1:
        y, x = pixel(image, *place)
        vector = direction * image.scale * image.pafs[limb, :, y, x].astype(np.float64)
        strength = float(np.hypot(*vector))
        if strength <= WALK_STRENGTH or (steps > 0 and vector @ mean <= 0.5 * strength):
            break
        steps += 1
        mean = mean + (vector / strength - mean) / steps
        mean = mean / np.hypot(*mean)
        place = np.asarray(start) + mean * steps
        if not (0 <= place[0] <= w - 1 and 0 <= place[1] <= h - 1):
            break
    far = steps - WALK_OVERSHOOT
    if far <= WALK_SHARE * reach:
        return None
    x, y = np.asarray(start) + mean * far
    return float(x), float(y)
