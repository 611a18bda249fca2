"""Our maximum flow beside PyMaxflow's and SciPy's: ``python -m benchmarks.graphcut``.

All get the same integer energy: a photo with an object and a background stroke, the data and
smoothness terms of the method ``graphcut`` with its defaults, without the preparation that they
share. The time is from capacity arrays to the mask, the graph's construction included; "cpu" is
the best of the repetitions, taken in turns in one process, and says more than "wall" on a busy
machine. "ratio" is the other solver's cpu time over ours. All values of the flow must agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import maxflow
import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow
from skimage import data as photos

from segdemo.graphcut.binary import GraphCutParams, log_scores, photo_contrasts
from segdemo.graphcut.energy import STEPS, data_costs, pair_slices, pairwise_weights
from segdemo.graphcut.likelihood import posterior_costs
from segdemo.graphcut.maxflow import grid_maxflow
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


def photo_energy(name: str, size: int, neighbours: int) -> list[np.ndarray]:
    """The (size, size) int64 capacities: source, sink, and one plane per step to a neighbour."""
    photo = cv2.resize(getattr(photos, name)(), (size, size), interpolation=cv2.INTER_CUBIC)
    seeds = np.zeros((size, size), np.uint8)
    for label, strokes in enumerate((BACKGROUND_STROKES[name], OBJECT_STROKES[name]), start=1):
        for stroke in strokes:
            ends = [tuple(int(part * size) for part in point) for point in stroke]
            cv2.line(seeds, *ends, label, max(2, size // 100))
    params = GraphCutParams(neighbours=neighbours)
    run = Run()
    contrasts, sigma = photo_contrasts(photo, neighbours, run)
    weights = pairwise_weights(contrasts, params.smoothness, sigma)
    costs = data_costs(posterior_costs(log_scores(photo, seeds, params, run)), seeds, weights)
    return [costs[0], costs[1], *weights]


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


def main(sizes: tuple[int, ...] = (512, 1024)) -> None:
    grid_maxflow(*[np.ones((2, 2), int)] * 6)  # compiles
    print("| photo | size | neighbours | solver | wall s | cpu s | ratio |\n|---|---|---|---|---|---|---|")
    for size in sizes:
        for name in OBJECT_STROKES:
            for neighbours in (4, 8):
                energy = photo_energy(name, size, neighbours)
                times = best_times({"segdemo": grid_maxflow, "PyMaxflow": by_pymaxflow}, energy, repeats=3)
                if neighbours == 4:  # SciPy is slow: once, and on the smaller graphs
                    times |= best_times({"SciPy": by_scipy}, energy, repeats=1)
                for solver, (wall, cpu) in times.items():
                    ratio = cpu / times["segdemo"][1]
                    row = f"| {name} | {size} x {size} | {neighbours} | {solver} "
                    print(f"{row}| {wall:.3f} | {cpu:.3f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
