"""Our maximum flow beside PyMaxflow's, OR-Tools' and SciPy's: ``python -m benchmarks.graphcut``.

All get the same integer energy: a photo with an object and a background stroke, the data and
smoothness terms of the method ``graphcut`` with its defaults, without the preparation that they
share. The time is from capacity arrays to the mask, the graph's construction included; "cpu" is
the best of the repetitions, taken in turns in one process, and says more than "wall" on a busy
machine. "ratio" is the other solver's cpu time over ours. All values of the flow must agree.

A second table is about one more stroke: a new graph against ``GridMaxflow.update`` and ``solve`` on the one
that has been solved before, hand-over included. "seeds": only the stroke's pixels have new terminals; "all":
the colours are learned anew with the stroke, as the method does, so that nearly all terminals change.

A third table runs the whole method on the graph of pixels and on that of superpixels, on a photo that it has not
seen ("first"), and after one more stroke ("next", the mean of two). "cut" is the part of each from the data term to
the labels, superpixels and the replay's cuts included.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import cv2
import maxflow
import numpy as np
from ortools.graph.python.max_flow import SimpleMaxFlow
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow
from skimage import data as photos

from segdemo import Engine
from segdemo.graphcut.binary import GraphCutParams, log_scores, photo_contrasts
from segdemo.graphcut.energy import STEPS, data_costs, pair_slices, pairwise_weights
from segdemo.graphcut.likelihood import posterior_costs
from segdemo.graphcut.maxflow import GridMaxflow, grid_maxflow
from segdemo.method import Run

OBJECT_STROKES = {  # (from, to) as parts of width and height
    "astronaut": [((0.43, 0.12), (0.43, 0.35)), ((0.43, 0.51), (0.23, 0.78))],
    "coffee": [((0.33, 0.42), (0.63, 0.47)), ((0.2, 0.6), (0.77, 0.6))],
    "chelsea": [((0.33, 0.33), (0.67, 0.37)), ((0.16, 0.67), (0.73, 0.77))],
}
BACKGROUND_STROKES = {
    "astronaut": [((0.12, 0.08), (0.08, 0.59)), ((0.78, 0.16), (0.92, 0.64))],
    "coffee": [((0.05, 0.07), (0.93, 0.05)), ((0.97, 0.5), (0.87, 0.87))],
    "chelsea": [((0.02, 0.03), (0.04, 0.2)), ((0.95, 0.27), (0.97, 0.83))],
}


NEXT_STROKES = (
    (2, (0.6, 0.7), (0.7, 0.75)),
    (1, (0.1, 0.9), (0.25, 0.95)),
)  # label (1 = background, 2 = object), from, to


def draw(seeds: np.ndarray, label: int, *ends: tuple[float, float]) -> np.ndarray:
    """The seeds, (size, size) uint8, with one more stroke; 1 = background, 2 = object."""
    size = len(seeds)
    ends = [tuple(int(part * size) for part in point) for point in ends]
    return cv2.line(seeds.copy(), *ends, label, max(2, size // 100))


class PhotoEnergy:
    """The energy of a photo as the method ``graphcut`` makes it with its defaults."""

    def __init__(self, name: str, size: int, neighbours: int):
        self.photo = cv2.resize(getattr(photos, name)(), (size, size), interpolation=cv2.INTER_CUBIC)
        self.seeds = np.zeros((size, size), np.uint8)
        for label, strokes in enumerate((BACKGROUND_STROKES[name], OBJECT_STROKES[name]), start=1):
            for stroke in strokes:
                self.seeds = draw(self.seeds, label, *stroke)
        self.params = GraphCutParams(neighbours=neighbours)
        contrasts, sigma = photo_contrasts(self.photo, neighbours, Run())
        self.weights = pairwise_weights(contrasts, self.params.smoothness, sigma)

    def terminals(self, seeds: np.ndarray, learned: np.ndarray | None = None) -> np.ndarray:
        """(2, size, size) int64 capacities, to source and sink; colours are learned from ``learned``, else ``seeds``."""
        scores = log_scores(self.photo, seeds if learned is None else learned, self.params, Run())
        return data_costs(posterior_costs(scores), seeds, self.weights)


def by_pymaxflow(source, sink, *edges) -> tuple[int, np.ndarray]:
    graph = maxflow.GraphInt(source.size, 2 * len(edges) * source.size)
    nodes = graph.add_grid_nodes(source.shape)
    for (dy, dx), edge in zip(STEPS, edges):
        structure = np.zeros((3, 3), int)
        structure[1 + dy, 1 + dx] = 1
        graph.add_grid_edges(nodes, edge, structure=structure, symmetric=True)
    graph.add_grid_tedges(nodes, source, sink)
    return graph.maxflow(), ~graph.get_grid_segments(nodes)


def by_scipy(source, sink, *edges) -> tuple[int, np.ndarray]:
    nodes = np.arange(source.size, dtype=np.int32).reshape(source.shape)
    s, t = source.size, source.size + 1
    rows, columns = [np.full(source.size, s), nodes.ravel()], [nodes.ravel(), np.full(source.size, t)]
    capacities = [source.ravel(), sink.ravel()]
    for step, edge in zip(STEPS, edges):
        first, second = pair_slices(step)
        rows += [nodes[first].ravel(), nodes[second].ravel()]
        columns += [nodes[second].ravel(), nodes[first].ravel()]
        capacities += [edge[first].ravel()] * 2
    entries = (np.concatenate(capacities).astype(np.int32), (np.concatenate(rows), np.concatenate(columns)))
    graph = csr_matrix(entries, shape=(t + 1, t + 1))
    return int(maximum_flow(graph, s, t).flow_value), np.empty(0, bool)


def by_ortools(source, sink, *edges) -> tuple[int, np.ndarray]:
    solver, n = SimpleMaxFlow(), source.size
    nodes, terminal = np.arange(n, dtype=np.int32).reshape(source.shape), np.full(n, n, np.int32)
    tails, heads, capacities = [terminal, nodes.ravel()], [nodes.ravel(), terminal + 1], [source.ravel(), sink.ravel()]
    for step, edge in zip(STEPS, edges):
        first, second = pair_slices(step)
        tails += [nodes[first].ravel(), nodes[second].ravel()]
        heads += [nodes[second].ravel(), nodes[first].ravel()]
        capacities += [edge[first].ravel()] * 2
    solver.add_arcs_with_capacity(*(np.concatenate(part) for part in (tails, heads, capacities)))
    solver.solve(n, n + 1)
    return solver.optimal_flow(), np.empty(0, bool)


def best_times(solvers: dict[str, Callable], energy: list[np.ndarray], repeats: int) -> dict[str, tuple[float, float]]:
    """(wall, cpu) seconds of each solver, the best of ``repeats`` turns; the flows are compared."""
    times = {name: (np.inf, np.inf) for name in solvers}
    flows = set()
    for _ in range(repeats):
        for name, solver in solvers.items():
            wall, cpu = time.perf_counter(), time.process_time()
            flows.add(solver(*energy)[0])
            spent = time.perf_counter() - wall, time.process_time() - cpu
            times[name] = tuple(map(min, times[name], spent))
    assert len(flows) == 1, f"the solvers disagree: {flows}"
    return times


def compare_solvers(sizes: tuple[int, ...]) -> None:
    print("| photo | size | neighbours | solver | wall s | cpu s | ratio |\n|---|---|---|---|---|---|---|")
    for size, name, neighbours in itertools.product(sizes, OBJECT_STROKES, (4, 8)):
        energy = PhotoEnergy(name, size, neighbours)
        capacities = [*energy.terminals(energy.seeds), *energy.weights]
        times = best_times({"segdemo": grid_maxflow, "PyMaxflow": by_pymaxflow}, capacities, repeats=3)
        if neighbours == 4 and size <= 512:  # these are slow: once, and on the smaller graphs
            times |= best_times({"SciPy": by_scipy, "OR-Tools": by_ortools}, capacities, repeats=1)
        for solver, (wall, cpu) in times.items():
            ratio = cpu / times["segdemo"][1]
            print(
                f"| {name} | {size} x {size} | {neighbours} | {solver} | {wall:.3f} | {cpu:.3f} | {ratio:.2f} |",
                flush=True,
            )


def next_stroke_times(energy: PhotoEnergy, stroke: tuple, is_learned: bool, repeats: int = 3) -> tuple[float, float]:
    """cpu seconds of a new graph and of the old one going on, the best of ``repeats``; the cuts are compared."""
    before, seeds = energy.terminals(energy.seeds), draw(energy.seeds, *stroke)
    after = energy.terminals(seeds, None if is_learned else energy.seeds)
    best = [np.inf, np.inf]
    for _ in range(repeats):
        graph = GridMaxflow(*before, *energy.weights)
        graph.solve()
        start = time.process_time()
        flow, inside = grid_maxflow(*after, *energy.weights)
        between = time.process_time()
        graph.update(*after)
        again, same = graph.solve()
        best = [min(best[0], between - start), min(best[1], time.process_time() - between)]
        assert flow == again and (inside == same).all()
    return best[0], best[1]


def compare_updates(sizes: tuple[int, ...]) -> None:
    print("\n| photo | size | neighbours | stroke | terminals changed | new, cpu s | update, cpu s | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for size, name, neighbours in itertools.product(sizes, OBJECT_STROKES, (4, 8)):
        energy = PhotoEnergy(name, size, neighbours)
        for stroke, is_learned in itertools.product(NEXT_STROKES, (False, True)):
            new, update = next_stroke_times(energy, stroke, is_learned)
            row = f"| {name} | {size} x {size} | {neighbours} | {('background', 'object')[stroke[0] - 1]} "
            print(
                f"{row}| {'all' if is_learned else 'seeds'} | {new:.4f} | {update:.4f} | {new / update:.1f} |",
                flush=True,
            )


def compare_graphs(sizes: tuple[int, ...]) -> None:
    print("\n| photo | size | replay | graph | nodes | first, s | cut | next, s | cut | energy | IoU with pixels |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    engine = Engine("cpu")
    engine.warm()
    for size, name, keep_frames in itertools.product(sizes, OBJECT_STROKES, (False, True)):
        energy, found = PhotoEnergy(name, size, 8), {}
        for graph in ("pixels", "superpixels"):
            energy.photo[0, 0] += 1  # a photo that the engine has not seen
            result, times = graph_times(engine, energy, graph, keep_frames)
            found[graph] = result.labels.astype(bool)
            overlap = (found[graph] & found["pixels"]).sum() / max((found[graph] | found["pixels"]).sum(), 1)
            row = f"| {name} | {size} x {size} | {'yes' if keep_frames else 'no'} | {graph} | {result.facts['nodes']} "
            row += "".join(f"| {seconds:.3f} " for seconds in times)
            print(f"{row}| {result.facts['energy']:.0f} | {overlap:.3f} |", flush=True)


def graph_times(engine: Engine, energy: PhotoEnergy, graph: str, keep_frames: bool) -> tuple:
    """The first result; seconds of the first run and of its cut, and the means of those after one more stroke."""
    seeds, results, times = energy.seeds, [], []
    for stroke in (None, *NEXT_STROKES):
        seeds = seeds if stroke is None else draw(seeds, *stroke)
        options = dict(graph=graph, working_size=len(seeds), keep_frames=keep_frames)
        start = time.perf_counter()
        results.append(engine.run("graphcut", energy.photo, scribbles=np.array([0, 2, 1], np.uint8)[seeds], **options))
        spent = results[-1].timings
        times.append((time.perf_counter() - start, spent.get("superpixels", 0) + spent["maximum flow"]))
    return results[0], (*times[0], *np.mean(times[1:], axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--only", choices=["solvers", "updates", "graphs"])
    options = parser.parse_args()
    ones = np.ones((2, 2), int)
    graph = GridMaxflow(*[ones] * 6)  # compiles
    graph.update(2 * ones, ones)
    graph.solve()
    tables = {"solvers": compare_solvers, "updates": compare_updates, "graphs": compare_graphs}
    for name, table in tables.items():
        if options.only in (None, name):
            table(options.sizes)


if __name__ == "__main__":
    main()
