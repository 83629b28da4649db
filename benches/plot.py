"""Plots as SVG, in the colours of the reader's page, light or dark."""
import json
import math

# One panel alone is as wide as two, so that the note has room.
WIDTH, HEIGHT = 300, 260
LEFT, RIGHT, ABOVE, BELOW = 46, 14, 40, 30
COLOURS = ["#2a6fb0", "#c2571a", "#2e8b57", "#8a4fb0"]
DARK = ["#6db3f2", "#f0965a", "#6fce9a", "#c79af0"]


class Line:
    """Points that are joined, each with a name above and right of it, or `below` and left, if there are `names`. A dashed line has no
    points and says what a figure is compared with."""

    def __init__(self, name, points, dashed=False, joined=True, names=(), below=False):
        self.name, self.points, self.dashed, self.joined, self.names, self.below = name, list(points), dashed, joined, names, below


class Panel:
    """Lines over the same axes, of which those in `log` are logarithmic. `ticks` are those of x, as numbers or as pairs of a number
    and its name."""

    def __init__(self, title, lines, ticks=None, log="", low=None, high=None):
        self.title, self.lines, self.log = title, lines, log
        xs = [x for line in lines for x, _ in line.points]
        ys = [y for line in lines for _, y in line.points]
        if ticks is None:
            ticks = steps(min(xs), max(xs))
        self.ticks = [tick if isinstance(tick, tuple) else (tick, f"{tick:g}") for tick in ticks]
        # Names are wider than numbers.
        room = 0.3 if any(isinstance(tick, tuple) for tick in ticks) else 0
        places = [x for x, _ in self.ticks]
        self.x_range = (min(*xs, *places) - room, max(*xs, *places) + room)
        low, high = min(ys) if low is None else low, max(ys) if high is None else high
        if "y" in log:
            self.levels = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
            self.y_range = (self.levels[0], self.levels[-1])
        else:
            self.levels = steps(low, high)
            self.y_range = (min(low, self.levels[0]), max(high, self.levels[-1]))

    def part(self, axis, value):
        """Where a value lies between an axis' ends, from 0 to 1."""
        low, high = self.x_range if axis == "x" else self.y_range
        if axis in self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return (value - low) / (high - low) if high > low else 0.5

    def draw(self, left, top, width):
        x0, y0 = left + LEFT, top + HEIGHT - BELOW
        width, height = width - LEFT - RIGHT, HEIGHT - ABOVE - BELOW
        at_x = lambda x: x0 + width * self.part("x", x)
        at_y = lambda y: y0 - height * self.part("y", y)
        yield f'<text x="{x0 + width / 2}" y="{y0 - height - 14}" text-anchor="middle" font-size="13">{self.title}</text>'
        yield f'<path class="axis" d="M{x0} {y0 - height}V{y0}H{x0 + width}"/>'
        for level in self.levels:
            y = at_y(level)
            yield (f'<path class="axis" d="M{x0 - 4} {y:.1f}h4"/><text x="{x0 - 7}" y="{y + 4:.1f}" '
                   f'text-anchor="end">{level:g}</text>')
        for x, name in self.ticks:
            yield f'<text x="{at_x(x):.1f}" y="{y0 + 15}" text-anchor="middle">{name}</text>'
        colour = 0
        for line in self.lines:
            places = [(at_x(x), at_y(y)) for x, y in line.points]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            if line.dashed:
                yield f'<polyline class="dashed" points="{path}"/>'
                continue
            if line.joined:
                yield f'<polyline class="line c{colour}" points="{path}"/>'
            if len(places) <= 12:
                yield from (f'<circle class="f{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
            right, down, anchor = (-5, 9, "end") if line.below else (5, -3, "start")
            yield from (f'<text x="{x + right:.1f}" y="{y + down:.1f}" text-anchor="{anchor}" font-size="9">{name}</text>'
                        for (x, y), name in zip(places, line.names))
            colour = (colour + 1) % len(COLOURS)


def steps(low, high):
    """About five round numbers from below the low one to above the high one."""
    wide = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(wide / 4))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= wide / 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * place, 10) for place in range(first, last + 1)]


def write(path, panels, note, across=3):
    """The panels beside and below each other; below them the lines' names, where they have some, and the note."""
    across = min(across, len(panels))
    down = math.ceil(len(panels) / across)
    width = max(WIDTH, 2 * WIDTH // across)
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines if line.name and not line.dashed))
    colour = lambda colours: "".join(f".c{i}{{stroke:{c}}}.f{i}{{fill:{c}}}" for i, c in enumerate(colours))
    tall = down * HEIGHT + 30 + (20 if names else 0)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across * width} {tall}" font-family="sans-serif" font-size="11">'
           "<style>text{fill:#555}.axis{stroke:#999;fill:none}.dashed{stroke:#999;stroke-dasharray:4 3;fill:none}"
           f".line{{stroke-width:2;fill:none}}{colour(COLOURS)}"
           f"@media(prefers-color-scheme:dark){{text{{fill:#bbb}}{colour(DARK)}}}</style>"]
    for place, panel in enumerate(panels):
        out += panel.draw(place % across * width, place // across * HEIGHT, width)
    left = 8
    for place, name in enumerate(names):
        out.append(f'<circle class="f{place % len(COLOURS)}" cx="{left + 4}" cy="{down * HEIGHT + 14}" r="4"/>'
                   f'<text x="{left + 12}" y="{down * HEIGHT + 18}">{name}</text>')
        left += 26 + 6.2 * len(name)
    out.append(f'<text x="8" y="{tall - 12}">{note}</text></svg>')
    path.write_text("\n".join(out) + "\n")


def epochs(run):
    """What a run's `metrics.jsonl` says of each epoch."""
    events = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [event for event in events if event["event"] == "epoch"]
