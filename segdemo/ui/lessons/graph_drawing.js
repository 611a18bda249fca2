// The graph of one patch, the flow on it after any number of paths, and its picture.

const WIDTH = 800, NARROW = 520, HEIGHT = 700, SOURCE_Y = 38, SINK_Y = 662;  // narrow: for a phone

const svg = (name, attributes = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const html = (name, className, ...children) => {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
};

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// The graph and the flow on it after any number of paths.
class Patch {
  constructor(value) {
    Object.assign(this, value);
    [this.rows, this.columns] = this.shape;
    this.pixels = this.rows * this.columns;
    this.source = this.pixels;
    this.sink = this.pixels + 1;
    this.flow = new Array(this.ends.length).fill(0);
    this.position = 0;
    this.totals = this.steps.reduce((sums, [sent]) => [...sums, sums.at(-1) + sent], [0]);
    this.severed = new Set(this.cut);
  }

  get last() { return this.steps.length + 1; }  // the position after all paths, which shows the cut
  get isDone() { return this.position === this.last; }
  get step() { return this.position > 0 && !this.isDone ? this.steps[this.position - 1] : null; }
  get total() { return this.totals[Math.min(this.position, this.steps.length)]; }

  kind(edge) { return edge < this.pixels ? "s" : edge < 2 * this.pixels ? "t" : "n"; }
  isFull(edge) { return this.capacities[edge] > 0 && Math.abs(this.flow[edge]) === this.capacities[edge]; }
  edgesOf([, ...walk]) { return walk.map((signed) => ({ edge: Math.abs(signed) - 1, forward: signed > 0 })); }

  // Moves to a position; returns the edges whose flow has changed.
  go(position) {
    const changed = new Set(), paths = (at) => Math.min(at, this.steps.length);
    const target = Math.min(Math.max(position, 0), this.last);
    const send = (step, sign) => {
      for (const { edge, forward } of this.edgesOf(step)) {
        this.flow[edge] += sign * (forward ? step[0] : -step[0]);
        changed.add(edge);
      }
    };
    for (let k = paths(this.position); k < paths(target); k++) send(this.steps[k], 1);
    for (let k = paths(this.position); k > paths(target); k--) send(this.steps[k - 1], -1);
    this.position = target;
    return changed;
  }

  nats(value) { return (value / this.unit).toLocaleString("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 }); }
  name(node) {
    if (node >= this.pixels) return node === this.source ? "source" : "sink";
    return `(${node % this.columns + 1}, ${Math.floor(node / this.columns) + 1})`;
  }
  nodesOf(step) {
    return this.edgesOf(step).reduce((nodes, { edge, forward }) => [...nodes, this.ends[edge][forward ? 1 : 0]], [this.source]);
  }
}

// The picture: source above, the patch as a plane in the middle, sink below.
class Drawing {
  constructor(canvas, tip) {
    Object.assign(this, { canvas, tip });
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerdown", (event) => this.point(event));
    canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && this.point(null));  // a tap stays
  }

  get fitting() { return this.canvas.parentElement.clientWidth < 560 ? NARROW : WIDTH; }

  show(patch) {
    Object.assign(this, { patch, near: null, pointed: null });
    this.tip.hidden = true;
    this.width = this.fitting;
    this.canvas.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const { rows, columns } = patch, longer = Math.max(rows, columns), middle = { x: this.width / 2, y: HEIGHT / 2 };
    const across = 0.87 * (this.width - 120) / longer, down = 300 / longer, shear = 0.3 * down;
    this.radius = Math.min(15, 0.36 * down);
    this.places = Array.from({ length: patch.pixels }, (_, p) => {
      const i = Math.floor(p / columns) - (rows - 1) / 2, j = p % columns - (columns - 1) / 2;
      return [middle.x + j * across - i * shear, middle.y + i * down];
    });
    this.places.push([middle.x, SOURCE_Y], [middle.x, SINK_Y]);
    this.top = Math.max(...patch.capacities.slice(2 * patch.pixels), 1);
    this.edges = patch.ends.map((_, edge) => this.makeEdge(edge));
    this.nodes = Array.from({ length: patch.pixels }, (_, p) => this.makeNode(p));
    this.over = svg("g");
    const kinds = (kind) => this.edges.filter((_, edge) => patch.kind(edge) === kind);
    const corner = (i, j) => [middle.x + j * across * columns / 2 - i * shear * rows / 2, middle.y + i * down * rows / 2].join(",");
    const hits = [...patch.ends.keys()].map((edge) => svg("path", { class: "gp-hit", d: this.line(...patch.ends[edge]), "data-edge": edge }));
    this.canvas.replaceChildren(
      svg("g", {}, ...kinds("t")),
      svg("polygon", { class: "gp-plane", points: [corner(-1, -1), corner(-1, 1), corner(1, 1), corner(1, -1)].join(" ") }),
      svg("g", {}, ...kinds("n")), svg("g", {}, ...kinds("s")), svg("g", {}, ...hits), this.over,
      this.terminal("source", "s", SOURCE_Y), this.terminal("sink", "t", SINK_Y), svg("g", {}, ...this.nodes),
    );
    this.refresh(patch.ends.keys());
  }

  line(u, v) { return `M${this.places[u].map((a) => a.toFixed(1))}L${this.places[v].map((a) => a.toFixed(1))}`; }
  thickness(capacity) { return capacity <= 0 ? 0 : 0.7 + 6 * Math.sqrt(Math.min(capacity, this.top) / this.top); }

  makeEdge(edge) {
    const d = this.line(...this.patch.ends[edge]), width = this.thickness(this.patch.capacities[edge]).toFixed(2);
    return svg("g", {}, svg("path", { class: "gp-cap", d, "stroke-width": width }), svg("path", { class: "gp-flow", d }));
  }

  makeNode(p) {
    const [cx, cy] = this.places[p], seed = this.patch.seeds[p], r = this.radius;
    const node = svg("g", { "data-node": p },
      svg("circle", { class: "gp-dot", cx, cy, r, fill: this.patch.colours[p] }), svg("circle", { class: "gp-ring", cx, cy, r: r + 3 }));
    if (seed) node.append(svg("text", { x: cx, y: cy }, seed === 2 ? "O" : "B"));
    return node;
  }

  terminal(name, kind, y) {
    return svg("g", { class: `gp-terminal gp-${kind}` }, svg("circle", { cx: this.width / 2, cy: y, r: 34 }), svg("text", { x: this.width / 2, y }, name));
  }

  // Draw anew the edges whose flow has changed, the nodes and the path.
  refresh(changed) {
    const { patch } = this;
    for (const edge of changed) this.edges[edge].lastChild.setAttribute("stroke-width", this.thickness(Math.abs(patch.flow[edge])).toFixed(2));
    for (const [edge, group] of this.edges.entries()) {
      const isCut = patch.isDone && patch.severed.has(edge);
      group.setAttribute("class", ["gp-edge", `gp-${patch.kind(edge)}`, patch.isFull(edge) && "gp-full", isCut && "gp-cut",
        this.near && this.near.has(edge) && "gp-near"].filter(Boolean).join(" "));
    }
    const step = patch.step, onPath = new Set(step ? patch.nodesOf(step) : []);
    for (const [p, node] of this.nodes.entries()) {
      const side = patch.isDone ? (patch.inside[p] ? "gp-inside" : "gp-outside") : "";
      node.setAttribute("class", ["gp-node", side, onPath.has(p) && "gp-onpath"].filter(Boolean).join(" "));
    }
    this.over.replaceChildren(...(step ? patch.edgesOf(step) : []).map(({ edge, forward }) => {
      const [u, v] = patch.ends[edge];
      return svg("path", { class: "gp-over", d: forward ? this.line(u, v) : this.line(v, u) });
    }));
    this.canvas.classList.toggle("gp-only", Boolean(this.near));
    if (this.near) this.tip.textContent = this.words();
  }

  // A pixel pointed at shows its own edges; an edge pointed at says what it carries.
  point(event) {
    const target = event && event.target, isNew = this.pointed !== target;
    this.pointed = target;
    const node = target && target.closest("[data-node]"), hit = target && target.closest("[data-edge]");
    this.tip.hidden = !node && !hit;
    if (isNew && this.patch) {
      const p = node && Number(node.dataset.node);
      const near = node ? [...this.patch.ends.keys()].filter((edge) => this.patch.ends[edge].includes(p)) : hit ? [Number(hit.dataset.edge)] : null;
      this.near = near && new Set(near);
      this.words = () => (node ? this.describeNode(p) : this.describeEdge(near[0]));
      this.refresh([]);
    }
    if (!this.tip.hidden) this.placeTip(event);
  }

  describeEdge(edge) {
    const { patch } = this, [u, v] = patch.ends[edge], flow = patch.flow[edge];
    const names = flow < 0 ? `${patch.name(v)} → ${patch.name(u)}` : `${patch.name(u)} ${patch.kind(edge) === "n" && !flow ? "–" : "→"} ${patch.name(v)}`;
    const notes = [patch.isFull(edge) && "full", patch.isDone && patch.severed.has(edge) && "severed by the cut"].filter(Boolean);
    return `${names}${notes.length ? `: ${notes.join(", ")}` : ""}\nflow ${patch.nats(Math.abs(flow))} of capacity ${patch.nats(patch.capacities[edge])}`;
  }

  describeNode(p) {
    const { patch } = this, seed = ["", "background seed: its source link is free but for what leads out of the patch, its sink link costs more than any cut around it",
      "object seed: its sink link is free but for what leads out of the patch, its source link costs more than any cut around it"][patch.seeds[p]];
    const cost = (edge) => `${patch.nats(Math.abs(patch.flow[edge]))} of ${patch.nats(patch.capacities[edge])}`;
    return [`pixel ${patch.name(p)}`, `from the source: ${cost(p)}`, `to the sink: ${cost(p + patch.pixels)}`, seed].filter(Boolean).join("\n");
  }

  placeTip(event) {
    const box = this.tip.parentElement.getBoundingClientRect(), { offsetWidth, offsetHeight } = this.tip;
    const x = event.clientX - box.left, y = event.clientY - box.top;
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, box.width - offsetWidth - 6))}px`;
    this.tip.style.top = `${y + 18 + offsetHeight > box.height ? y - 12 - offsetHeight : y + 18}px`;
  }
}
