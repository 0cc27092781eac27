"""Where boxes and arrows lie: layers by longest path, containers laid out from the inside out.

An arrow between steps of different containers is drawn between the two boxes that lie side by side, so no arrow ever
crosses a frame; what it carries is in its title.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cloudml.operations.draw.model import Edge, Graph, GraphNode

GAP_X, GAP_Y, MARGIN, TITLE = 28.0, 44.0, 18.0, 44.0
ROW_WIDTH = 1800.0
"""A layer wider than this (in pixels) goes on in a further row."""

LONG_EDGES = 2000
"""Above so many places where arrows pass a layer, they are drawn straight instead of around the boxes."""

Size = tuple[float, float]


@dataclass
class Box:
    """A placed step; a container's box surrounds those in it. Coordinates are pixels from the top left."""

    name: str
    x: float
    y: float
    width: float
    height: float
    node: GraphNode | None
    title: str = ""
    depth: int = 0


@dataclass
class Arrow:
    """Points from top to bottom, and what flows."""

    points: list[tuple[float, float]]
    labels: tuple[str, ...]


@dataclass
class Drawing:
    """Everything placed; containers come before what lies in them."""

    width: float
    height: float
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)


@dataclass
class _Item:
    """What one layer holds: a box, or the place where a long arrow passes."""

    name: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    passes: bool = False


def layout(graph: Graph, measure: Callable[[GraphNode], Size]) -> Drawing:
    """Place everything. `measure` gives the size of a step that contains nothing; of a container, the least width."""
    return _Layout(graph, measure).draw()


def _half(node: GraphNode) -> str | None:
    """The name of the box a node lies in: a condition with an else branch has two halves."""
    return f"{node.parent}/{node.branch}" if node.parent and node.branch else node.parent


class _Layout:
    def __init__(self, graph: Graph, measure: Callable[[GraphNode], Size]) -> None:
        self._graph = graph
        self._measure = measure
        self._parent: dict[str, str | None] = {}
        self._inside: dict[str | None, list[str]] = {}
        self._nest()
        self._pairs = self._lifted()
        self._plans: dict[str | None, tuple[list[_Item], list[tuple[list[str], tuple[str, ...]]], Size]] = {}

    def _nest(self) -> None:
        halved = {node.parent for node in self._graph.nodes.values() if node.branch == "otherwise"}
        for node in self._graph.nodes.values():
            parent = _half(node) if node.parent in halved else node.parent
            if parent is not None and parent != node.parent and parent not in self._parent:
                self._parent[parent] = node.parent
                self._inside.setdefault(node.parent, []).append(parent)
            self._parent[node.name] = parent
            self._inside.setdefault(parent, []).append(node.name)

    def _chain(self, name: str) -> list[str]:
        chain = [name]
        while (parent := self._parent[chain[-1]]) is not None:
            chain.append(parent)
        return chain[::-1]

    def _lifted(self) -> dict[str | None, dict[tuple[str, str], list[Edge]]]:
        """Edges between boxes that lie in the same container, by that container."""
        found: dict[str | None, dict[tuple[str, str], list[Edge]]] = {}
        for edge in self._graph.edges:
            source, target = self._chain(edge.source), self._chain(edge.target)
            depth = 0
            while depth < min(len(source), len(target)) and source[depth] == target[depth]:
                depth += 1
            if depth < min(len(source), len(target)):
                home = source[depth - 1] if depth else None
                found.setdefault(home, {}).setdefault((source[depth], target[depth]), []).append(edge)
        return found

    def draw(self) -> Drawing:
        width, height = self._arrange(None)
        drawing = Drawing(width + 2 * MARGIN, height + 2 * MARGIN)
        self._place(None, MARGIN, MARGIN, 0, drawing)
        return drawing

    def _arrange(self, home: str | None) -> Size:
        """The size of what lies in a container; where each item lies in it is kept for `_place`."""
        names = self._inside.get(home, [])
        sizes = {name: self._size(name) for name in names}
        pairs = self._pairs.get(home, {})
        last = {name for name in names if (node := self._graph.nodes.get(name)) and node.kind == "finally"}
        plan = place_layers(names, sizes, pairs, last)
        self._plans[home] = plan
        return plan[2]

    def _size(self, name: str) -> Size:
        node = self._graph.nodes.get(name)
        if name not in self._inside:
            assert node is not None
            return self._measure(node)
        width, height = self._arrange(name)
        least = self._measure(node)[0] if node is not None else 120.0
        return max(width + 2 * MARGIN, least), height + MARGIN + (TITLE if node is not None else TITLE / 2)

    def _place(self, home: str | None, x: float, y: float, depth: int, drawing: Drawing) -> None:
        items, routes, _ = self._plans[home]
        at = {item.name: item for item in items}
        for item in items:
            if item.passes:
                continue
            node = self._graph.nodes.get(item.name)
            title = "" if node is not None else item.name.rpartition("/")[2]
            box = Box(item.name, x + item.x, y + item.y, item.width, item.height, node, title, depth)
            drawing.boxes.append(box)
            if item.name in self._inside:
                inner = self._plans[item.name][2][0]
                top = TITLE if node is not None else TITLE / 2
                self._place(item.name, box.x + (box.width - inner) / 2, box.y + top, depth + 1, drawing)
        drawing.arrows += arrows(at, routes, x, y)


Route = tuple[list[str], tuple[str, ...]]


def place_layers(
    names: Sequence[str], sizes: Mapping[str, Size], pairs: Mapping[tuple[str, str], list[Edge]], last: set[str]
) -> tuple[list[_Item], list[Route], Size]:
    """Items in layers with their coordinates, the routes of the arrows through them, and the whole size."""
    ranks = _ranks(names, pairs, last)
    layers: list[list[_Item]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for name in names:
        layers[ranks[name]].append(_Item(name, *sizes[name]))
    routes = _routes(pairs, ranks, layers)
    neighbours = _neighbours(routes)
    _order(layers, neighbours)
    layers = [row for layer in layers for row in _wrapped(layer)]
    width = _columns(layers, neighbours)
    y = 0.0
    for layer in layers:
        tallest = max(item.height for item in layer)
        for item in layer:
            item.y = y
            item.height = tallest if item.passes else item.height
        y += tallest + GAP_Y
    return [item for layer in layers for item in layer], routes, (width, max(0.0, y - GAP_Y))


def _ranks(names: Sequence[str], pairs: Mapping[tuple[str, str], list[Edge]], last: set[str]) -> dict[str, int]:
    """The longest path from a box that waits for nothing; a cycle, which check refuses, must not hang the drawing."""
    below: dict[str, list[str]] = {name: [] for name in names}
    waiting = dict.fromkeys(names, 0)
    for source, target in pairs:
        below[source].append(target)
        waiting[target] += 1
    ranks = dict.fromkeys(names, 0)
    ready = [name for name in names if not waiting[name]]
    for name in ready:
        for target in below[name]:
            ranks[target] = max(ranks[target], ranks[name] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    bottom = max((rank for name, rank in ranks.items() if name not in last), default=-1) + 1
    return {name: bottom if name in last else rank for name, rank in ranks.items()}


def _routes(
    pairs: Mapping[tuple[str, str], list[Edge]], ranks: Mapping[str, int], layers: list[list[_Item]]
) -> list[Route]:
    """The boxes each arrow visits; a long one gets a place in every layer that it passes."""
    spans = sum(max(0, ranks[target] - ranks[source] - 1) for source, target in pairs)
    routes: list[Route] = []
    for (source, target), edges in pairs.items():
        stops = [source]
        if spans <= LONG_EDGES:
            for rank in range(ranks[source] + 1, ranks[target]):
                stops.append(f"{source}>{target}>{rank}")
                layers[rank].append(_Item(stops[-1], 10.0, 0.0, passes=True))
        labels = tuple(_told(edge) for edge in edges)
        routes.append(([*stops, target], labels))
    return routes


def _told(edge: Edge) -> str:
    if edge.label:
        return f"{edge.source}.{edge.label} → {edge.target}"
    return f"{edge.source} before {edge.target}"


def _neighbours(routes: list[Route]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for stops, _ in routes:
        for upper, lower in pairwise(stops):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _order(layers: list[list[_Item]], neighbours: tuple[dict[str, list[str]], dict[str, list[str]]]) -> None:
    """Fewer crossings: each layer sorted by the mean place of its neighbours, down and up, a few times."""
    place = {item.name: float(index) for layer in layers for index, item in enumerate(layer)}
    for sweep in range(6):
        near = neighbours[sweep % 2]
        for layer in layers if sweep % 2 == 0 else reversed(layers):

            def mean(item: _Item, near: dict[str, list[str]] = near) -> float:
                around = near.get(item.name)
                return sum(place[name] for name in around) / len(around) if around else place[item.name]

            layer.sort(key=mean)
            place.update((item.name, float(index)) for index, item in enumerate(layer))


def _wrapped(layer: list[_Item]) -> list[list[_Item]]:
    rows: list[list[_Item]] = [[]]
    used = 0.0
    for item in layer:
        if rows[-1] and used + item.width > ROW_WIDTH:
            rows.append([])
            used = 0.0
        rows[-1].append(item)
        used += item.width + GAP_X
    return rows


def _columns(layers: list[list[_Item]], neighbours: tuple[dict[str, list[str]], dict[str, list[str]]]) -> float:
    """x for every item: near the middle of its neighbours, without overlap. Returns the width of all."""
    at: dict[str, _Item] = {}
    for layer in layers:
        _spread(layer, [0.0] * len(layer))
        at.update((item.name, item) for item in layer)
    for sweep in range(8):
        near = neighbours[sweep % 2]
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = []
            for item in layer:
                around = [at[name] for name in near.get(item.name, ())]
                middles = [other.x + other.width / 2 for other in around]
                wanted.append(sum(middles) / len(middles) if middles else item.x + item.width / 2)
            _spread(layer, wanted)
    left = min((item.x for layer in layers for item in layer), default=0.0)
    for layer in layers:
        for item in layer:
            item.x -= left
    return max((item.x + item.width for layer in layers for item in layer), default=0.0)


def _spread(layer: list[_Item], wanted: list[float]) -> None:
    """Middles as near as possible to the wanted ones: the mean of pushing to the right and pushing to the left."""
    right: list[float] = []
    edge = float("-inf")
    for item, middle in zip(layer, wanted, strict=True):
        right.append(max(middle - item.width / 2, edge))
        edge = right[-1] + item.width + GAP_X
    left: list[float] = []
    edge = float("inf")
    for item, middle in zip(reversed(layer), reversed(wanted), strict=True):
        left.append(min(middle - item.width / 2, edge - item.width))
        edge = left[-1] - GAP_X
    for item, one, other in zip(layer, right, reversed(left), strict=True):
        item.x = (one + other) / 2


def arrows(at: Mapping[str, _Item], routes: list[Route], x: float, y: float) -> list[Arrow]:
    """The arrows' points: from the foot of one box to the head of the next, ends side by side, not on one spot."""
    starts = _ports(at, [(stops[0], stops[1], index) for index, (stops, _) in enumerate(routes)])
    ends = _ports(at, [(stops[-1], stops[-2], index) for index, (stops, _) in enumerate(routes)])
    found = []
    for index, (stops, labels) in enumerate(routes):
        first, final = at[stops[0]], at[stops[-1]]
        points = [(x + starts[index], y + first.y + first.height)]
        for name in stops[1:-1]:
            item = at[name]
            middle = x + item.x + item.width / 2
            points += [(middle, y + item.y), (middle, y + item.y + item.height)]
        points.append((x + ends[index], y + final.y))
        found.append(Arrow(points, labels))
    return found


def _ports(at: Mapping[str, _Item], ends: list[tuple[str, str, int]]) -> dict[int, float]:
    """x of each arrow's end on its box, in the order of where the arrows come from."""
    by_box: dict[str, list[tuple[float, int]]] = {}
    for box, other, index in ends:
        by_box.setdefault(box, []).append((at[other].x + at[other].width / 2, index))
    found: dict[int, float] = {}
    for name, arriving in by_box.items():
        item = at[name]
        step = min(16.0, item.width * 0.6 / max(1, len(arriving) - 1))
        start = item.x + item.width / 2 - step * (len(arriving) - 1) / 2
        found.update((index, start + step * place) for place, (_, index) in enumerate(sorted(arriving)))
    return found
