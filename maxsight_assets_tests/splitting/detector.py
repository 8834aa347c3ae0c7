"""What MaxSight derives from a box, and the rules of its readers, written anew from the published facts.

Nothing here comes from `maxsight_assets`, so that a mistake there shows; the priors are those of a few names only.
"""

from math import sqrt

PRIORS = {
    **dict.fromkeys(("car", "bus", "stop sign", "traffic light"), 0.90),
    **dict.fromkeys(("person", "dog", "bicycle", "bear"), 0.72),
    **dict.fromkeys(("chair", "bench"), 0.52),
    **dict.fromkeys(("teddy bear", "clock", "book", "remote", "skateboard"), 0.34),  # COCO's names before their parts
    **dict.fromkeys(("stairs", "fire_extinguisher", "crosswalk_signal"), 0.78),
    **dict.fromkeys(("door", "door_handle", "exit_sign"), 0.58),
    **dict.fromkeys(("bookshelf", "food"), 0.22),
    "wheelchair": 0.38,
}


def zone_and_urgency(box: tuple[float, float, float, float], prior: float) -> tuple[int, int]:
    """The distance zone and the urgency of a box (cx, cy, w, h as shares of the image)."""
    cx, cy, w, h = box
    area = max(1e-8, w * h)
    zone = 0 if area > 0.10 else 1 if area > 0.05 else 2
    near = min(1.0, sqrt(area / 0.25))
    middle = max(0.0, 1 - (abs(cx - 0.5) + abs(cy - 0.5)))
    score = min(1.0, max(0.0, 0.52 * prior + 0.33 * near + 0.15 * middle))
    return zone, sum(score > edge for edge in (0.30, 0.50, 0.68))
