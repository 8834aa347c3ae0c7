"""A picture under construction that knows what is drawn where.

Everything is drawn twice: in colour at double size (halved in the end, so that edges are smooth) and at true size into
a map that holds for each pixel the number of the topmost layer. Boxes, masks and visibility are read off that map.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

from PIL import Image, ImageDraw

from maxsight_assets.sample_upstream.drawing.shapes import Color, Drawing, Outline, Point, rect, shade
from maxsight_assets.sample_upstream.drawing.things import kind

View: TypeAlias = Callable[[float, float], Point]
Box: TypeAlias = tuple[float, float, float, float]

_SMOOTH = 2
_WORTH_ANNOTATING = 0.3  # a thing of which less can be seen is drawn but not annotated, as a human annotator would do
_MAX_OVERLAP = 0.3


@dataclass(frozen=True, slots=True)
class Thing:
    """One annotated object.

    Attributes:
        name: Its name in `things.yaml`.
        layer: Its number in the scene's layer map.
        box: Left, top, width, height in absolute pixels, inside the picture.
        polygons: Outlines in absolute pixels, inside the picture; together they cover the thing.
        visible: Share of its pixels that nothing hides, 0 to 1.
        truncated: Whether the picture's edge cuts it.
    """

    name: str
    layer: int
    box: Box
    polygons: tuple[Outline, ...]
    visible: float
    truncated: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """A finished picture and what is in it.

    Attributes:
        kind: Where it plays: "street", "kitchen" ...
        picture: RGB.
        things: What is annotated, far to near.
        layers: Mode L, the size of the picture: number of the topmost layer of each pixel.
        names: The layers' names by their number: things, and surfaces such as "wall".
    """

    kind: str
    picture: Image.Image
    things: tuple[Thing, ...]
    layers: Image.Image
    names: tuple[str, ...]

    def resized(self, share: float) -> "Scene":
        """The same scene at `share` of its width and height."""
        width, height = round(self.picture.width * share), round(self.picture.height * share)
        across, down = width / self.picture.width, height / self.picture.height
        return self._mapped(
            self.picture.resize((width, height), Image.Resampling.LANCZOS),
            self.layers.resize((width, height), Image.Resampling.NEAREST),
            lambda x, y: (x * across, y * down),
        )

    def turned(self) -> "Scene":
        """The same scene as a camera on its side stores it: a quarter turn counter-clockwise makes it upright."""
        clockwise = Image.Transpose.ROTATE_270
        height = self.picture.height
        return self._mapped(
            self.picture.transpose(clockwise), self.layers.transpose(clockwise), lambda x, y: (height - y, x)
        )

    def _mapped(self, picture: Image.Image, layers: Image.Image, view: View) -> "Scene":
        things = []
        for thing in self.things:
            polygons = tuple(tuple(_rounded(view(x, y)) for x, y in polygon) for polygon in thing.polygons)
            things.append(replace(thing, polygons=polygons, box=_bounds(polygons)))
        return replace(self, picture=picture, layers=layers, things=tuple(things))


class Canvas:
    """Draws surfaces, details and things; coordinates are pixels of the finished picture."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._picture = Image.new("RGB", (width * _SMOOTH, height * _SMOOTH))
        self._colors = ImageDraw.Draw(self._picture)
        self._layers = Image.new("L", (width, height))
        self._numbers = ImageDraw.Draw(self._layers)
        self._names: list[str] = ["other"]
        self._placed: list[tuple[int, str, tuple[Outline, ...]]] = []

    def detail(self, color: Color, *points: Point) -> None:
        """Draw a polygon that belongs to whatever is below it."""
        self._colors.polygon([(x * _SMOOTH, y * _SMOOTH) for x, y in points], fill=color)

    def bar(self, color: Color, left: float, top: float, right: float, bottom: float) -> None:
        """Draw an upright rectangle that belongs to whatever is below it."""
        self.detail(color, *rect(left, top, right, bottom))

    def band(self, name: str, color: Color, top: float, bottom: float, *, fade: float = 1.0) -> None:
        """Draw a surface from the picture's left edge to its right one."""
        self.surface(name, color, *rect(0, top, self.width, bottom), fade=fade)

    def surface(self, name: str, color: Color, *points: Point, fade: float = 1.0) -> None:
        """Draw a surface such as a wall; `fade` is the brightness of its lower edge over that of its upper one."""
        self._numbers.polygon(list(points), fill=self._layer(name))
        self.detail(color, *points)
        if fade == 1.0:
            return
        top, bottom = min(y for _, y in points), max(y for _, y in points)
        left, right = min(x for x, _ in points), max(x for x, _ in points)
        mask = Image.new("L", self._picture.size)
        ImageDraw.Draw(mask).polygon([(x * _SMOOTH, y * _SMOOTH) for x, y in points], fill=255)
        ramp = Image.linear_gradient("L").resize(
            (round((right - left) * _SMOOTH) + 1, round((bottom - top) * _SMOOTH) + 1)
        )
        far = Image.new("RGB", ramp.size, shade(color, fade))
        blend = Image.composite(far, Image.new("RGB", ramp.size, color), ramp)
        corner = (round(left * _SMOOTH), round(top * _SMOOTH))
        area = (*corner, corner[0] + ramp.width, corner[1] + ramp.height)
        self._picture.paste(blend, corner, mask.crop(area))

    def stand(self, name: str, rng: Random, x: float, foot: float, *, height: float) -> bool:
        """Place a thing upright: `x` is its middle, `foot` its lower edge; refused where it would hide another one."""
        looks = kind(name)
        width = height * looks.aspect
        left, top = x - width / 2, foot - height
        if not self._is_free((left, top, width, height)):
            return False
        mirrored = rng.random() < 0.5
        self.draw(
            name.removesuffix(" rear"),
            looks.draw(rng),
            lambda u, v: (left + (1 - u if mirrored else u) * width, top + v * height),
        )
        return True

    def draw(self, name: str, drawing: Drawing, view: View) -> None:
        """Draw a thing whose unit square `view` maps into the picture."""
        number = self._layer(name)
        outlines = []
        for part in drawing:
            points = [view(u, v) for u, v in part.points]
            self.detail(part.color, *points)
            self._numbers.polygon(points, fill=number)
            outlines.append(tuple(points))
        self._placed.append((number, name, tuple(outlines)))

    def finish(self, kind: str, light: Callable[[Image.Image], Image.Image]) -> Scene:
        """Halve the picture, light it and measure every thing in it."""
        seen = self._layers.histogram()
        things = [self._measure(number, name, outlines, seen[number]) for number, name, outlines in self._placed]
        return Scene(
            kind=kind,
            picture=light(self._picture.reduce(_SMOOTH)),
            things=tuple(thing for thing in things if thing and thing.visible >= _WORTH_ANNOTATING),
            layers=self._layers,
            names=tuple(self._names),
        )

    def _layer(self, name: str) -> int:
        self._names.append(name)
        return len(self._names) - 1

    def _is_free(self, box: Box) -> bool:
        left, top, width, height = box
        for _, _, outlines in self._placed:
            x, y, across, down = _bounds(outlines)
            common = max(0.0, min(left + width, x + across) - max(left, x)) * max(
                0.0, min(top + height, y + down) - max(top, y)
            )
            if common > _MAX_OVERLAP * min(width * height, across * down):
                return False
        return True

    def _measure(self, number: int, name: str, outlines: tuple[Outline, ...], seen: int) -> Thing | None:
        """Clip the outlines to the picture and count pixels; None where nothing of it is inside."""
        mask = Image.new("L", self._layers.size)
        pen = ImageDraw.Draw(mask)
        polygons, truncated = [], False
        for outline in _contours(outlines):
            clipped = tuple(_rounded((_clip(x, self.width), _clip(y, self.height))) for x, y in outline)
            truncated |= any(abs(a[0] - b[0]) + abs(a[1] - b[1]) > 1 for a, b in zip(outline, clipped, strict=True))
            if min(_bounds((clipped,))[2:]) > 0:
                pen.polygon(list(clipped), fill=255)
                polygons.append(clipped)
        area = mask.histogram()[255]
        if not polygons or not area:
            return None
        box = _bounds(tuple(polygons))
        return Thing(name, number, box, tuple(polygons), visible=min(1.0, seen / area), truncated=truncated)


def _contours(outlines: tuple[Outline, ...]) -> tuple[Outline, ...]:
    """The outlines without those that lie in the bounds of a larger one (a window in a car): annotators draw few."""
    boxes = [_bounds((outline,)) for outline in outlines]

    def inside(one: Box, other: Box) -> bool:
        return (
            one != other
            and one[0] >= other[0]
            and one[1] >= other[1]
            and one[0] + one[2] <= other[0] + other[2]
            and one[1] + one[3] <= other[1] + other[3]
        )

    return tuple(o for o, box in zip(outlines, boxes, strict=True) if not any(inside(box, other) for other in boxes))


def _bounds(outlines: tuple[Outline, ...]) -> Box:
    xs = [x for outline in outlines for x, _ in outline]
    ys = [y for outline in outlines for _, y in outline]
    return min(xs), min(ys), round(max(xs) - min(xs), 2), round(max(ys) - min(ys), 2)


def _clip(value: float, size: int) -> float:
    return min(max(value, 0.0), float(size))


def _rounded(point: Point) -> Point:
    return round(point[0], 2), round(point[1], 2)
