// The zoo: accuracy against cost for every trained network, and the card of the one that is picked.

const FRAME = { left: 52, right: 16, top: 12, bottom: 44, height: 460 };
const WIDTHS = [320, 640];  // of the plot, in pixels of its drawing: a narrow screen gets a narrow drawing, not small text

const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const drawn = (name, attributes = {}, text = "") => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
};

const hue = (index, count) => `hsl(${Math.round(360 * index / Math.max(count, 1) + 225) % 360} 62% 52%)`;

// Round steps, about ``count`` of them, that cover [low, high].
const ticks = (low, high, count) => {
  const raw = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const all = [];
  for (let tick = Math.floor(low / step) * step; tick < high + step; tick += step) all.push(Number(tick.toPrecision(8)));
  return all;
};

class Zoo {
  constructor(root, networks, costs, scores, pick) {
    Object.assign(this, { root, networks, costs, scores, pick, picked: networks.length ? networks[0].name : "" });
    root.zoo = this;
    this.fill("zoo-cost", costs);
    this.fill("zoo-score", scores);
    this.width = WIDTHS[1];
    this.draw();
    new ResizeObserver(() => this.fit()).observe(this.part("zoo-plot"));
    this.describe();
  }

  part(name) { return this.root.querySelector(`[data-testid="${name}"]`); }

  fill(part, axes) {
    const select = this.part(part);
    select.replaceChildren(...axes.map((axis) => element("option", { value: axis.key }, axis.title)));
    select.addEventListener("change", () => this.draw());
  }

  axis(part, axes) { return axes.find((axis) => axis.key === this.part(part).value) || axes[0]; }

  show(name) {
    if (!this.networks.some((network) => network.name === name)) return;
    this.picked = name;
    this.draw();
    this.describe();
  }

  fit() {
    const room = this.part("zoo-plot").clientWidth, width = Math.min(Math.max(room, WIDTHS[0]), WIDTHS[1]);
    if (!room || width === this.width) return;
    this.width = width;
    this.draw();
  }

  draw() {
    const cost = this.axis("zoo-cost", this.costs), score = this.axis("zoo-score", this.scores);
    const points = this.networks.map((network, index) => ({
      network, colour: hue(index, this.networks.length), x: network[cost.key], y: network.plain[score.key], crf: network.refined[score.key],
    }));
    const plot = this.part("zoo-plot");
    plot.replaceChildren();
    plot.setAttribute("viewBox", `0 0 ${this.width} ${FRAME.height}`);
    if (!points.length) return;
    const xs = ticks(0, Math.max(...points.map((p) => p.x)), 5);
    const ys = ticks(Math.min(...points.map((p) => Math.min(p.y, p.crf))), Math.max(...points.map((p) => Math.max(p.y, p.crf))), 5);
    const x = (value) => FRAME.left + (value - xs[0]) / (xs.at(-1) - xs[0]) * (this.width - FRAME.left - FRAME.right);
    const y = (value) => FRAME.height - FRAME.bottom - (value - ys[0]) / (ys.at(-1) - ys[0]) * (FRAME.height - FRAME.bottom - FRAME.top);
    this.drawAxes(plot, xs, ys, x, y, cost, score);
    this.drawPoints(plot, points.map((p) => ({ ...p, left: x(p.x), top: y(p.y), ring: y(p.crf) })));
  }

  drawAxes(plot, xs, ys, x, y, cost, score) {
    for (const tick of ys) {
      plot.append(drawn("line", { class: "grid", x1: FRAME.left, x2: this.width - FRAME.right, y1: y(tick), y2: y(tick) }));
      plot.append(drawn("text", { class: "faint", x: FRAME.left - 8, y: y(tick) + 4, "text-anchor": "end" }, String(tick)));
    }
    for (const tick of xs) plot.append(drawn("text", { class: "faint", x: x(tick), y: FRAME.height - FRAME.bottom + 20, "text-anchor": "middle" }, String(tick)));
    plot.append(drawn("text", { class: "faint", x: this.width - FRAME.right, y: FRAME.height - 4, "text-anchor": "end" }, `${cost.title} →`));
    plot.append(drawn("text", { class: "faint", x: FRAME.left + 6, y: FRAME.top + 6 }, `↑ ${score.title}`));
  }

  // Labels stand right of their points, or left of them near the border, and step aside for each other; those of
  // points one above the other keep their order.
  drawPoints(plot, points) {
    const taken = points.flatMap((p) => [{ from: p.left - 9, width: 18, level: p.top + 5 }, { from: p.left - 6, width: 12, level: p.ring + 5 }]);
    const written = [];
    for (const p of [...points].sort((a, b) => a.top - b.top)) {
      const group = drawn("g", { class: `point${p.network.name === this.picked ? " picked" : ""}`, tabindex: "0", role: "button",
        "data-name": p.network.name, "aria-label": `${p.network.title}: show its card` });
      group.append(drawn("title", {}, `${p.network.title}: ${p.y} alone, ${p.crf} with CRF`));
      group.append(drawn("line", { class: "gain", x1: p.left, x2: p.left, y1: p.top, y2: p.ring, stroke: p.colour }));
      group.append(drawn("circle", { cx: p.left, cy: p.ring, r: 5, fill: "none", stroke: p.colour, "stroke-width": 2 }));
      group.append(drawn("circle", { class: "dot", cx: p.left, cy: p.top, r: 8, fill: p.colour }));
      const width = 7.2 * p.network.title.length, leftward = p.left + 14 + width > this.width;
      const from = leftward ? p.left - 14 - width : p.left + 14;
      const above = Math.max(0, ...written.filter((w) => Math.abs(w.left - p.left) < 24).map((w) => w.level));
      const level = this.freeLevel(p.top + 5, (at) => at > above && !taken.some((t) => Math.abs(t.level - at) < 15 && from < t.from + t.width && t.from < from + width));
      taken.push({ from, width, level });
      written.push({ left: p.left, level });
      const side = leftward ? -1 : 1;
      if (Math.abs(level - p.top - 5) > 9) group.append(drawn("line", { class: "gain", x1: p.left + 8 * side, y1: p.top, x2: p.left + 13 * side, y2: level - 4, stroke: p.colour }));
      group.append(drawn("text", { x: leftward ? p.left - 14 : p.left + 14, y: level, "text-anchor": leftward ? "end" : "start", style: `fill: color-mix(in srgb, ${p.colour} 55%, var(--body-text-color))` }, p.network.title));
      const choose = () => { this.show(p.network.name); };
      group.addEventListener("click", choose);
      group.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
      plot.append(group);
    }
  }

  // The free height for a label's foot that is nearest to the wanted one, inside the plot.
  freeLevel(wanted, isFree) {
    const low = FRAME.top + 10, high = FRAME.height - FRAME.bottom - 6;
    for (let way = 0; way < high - low; way += 2) {
      const found = [wanted + way, wanted - way].find((level) => level >= low && level <= high && isFree(level));
      if (found !== undefined) return found;
    }
    return wanted;
  }

  describe() {
    const network = this.networks.find((n) => n.name === this.picked), card = this.part("zoo-card");
    if (!network) { card.replaceChildren("No trained networks are here."); return; }
    const run = element("button", { type: "button", "data-testid": "zoo-pick" }, "Select this network to run");
    run.addEventListener("click", () => this.pick(network.name));
    card.replaceChildren(
      element("h2", {}, network.title), element("p", {}, network.summary), run,
      this.facts(network), this.scoreTable(network), this.classTable(network), this.curve(network),
    );
  }

  facts(network) {
    return element("dl", {}, ...network.facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  }

  scoreTable(network) {
    const row = (title, scores) => element("tr", {}, element("td", {}, title), ...this.scores.map((s) => element("td", {}, scores[s.key].toFixed(3))));
    return element("table", {},
      element("thead", {}, element("tr", {}, element("th", {}, "on validation photos"), ...this.scores.map((s) => element("th", {}, s.title)))),
      element("tbody", {}, row("alone", network.plain), row("with CRF", network.refined)));
  }

  classTable(network) {
    const rows = network.classes.map(([name, value, crf, pixels]) => {
      const bar = element("span", { class: "bar", style: `width:${Math.round(90 * (value || 0))}px` });
      const text = (v) => v === null ? "–" : v.toFixed(3);
      return element("tr", { class: pixels < 100000 ? "thin" : "" }, element("td", {}, name), element("td", { style: "text-align:left" }, bar),
        element("td", {}, text(value)), element("td", {}, text(crf)), element("td", {}, pixels.toLocaleString("en")));
    });
    const head = ["class", "", "IoU", "with CRF", "pixels"].map((title) => element("th", {}, title));
    return element("details", {}, element("summary", {}, "IoU of each class (faint: hardly any validation pixels)"),
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
  }

  curve(network) {
    const plot = drawn("svg", { viewBox: "0 0 320 110", role: "img", "aria-label": "training loss" });
    const losses = network.curve, high = Math.max(...losses), low = Math.min(...losses);
    const at = (loss, i) => `${10 + 300 * i / Math.max(losses.length - 1, 1)},${12 + 80 * (high - loss) / (high - low || 1)}`;
    plot.append(drawn("polyline", { points: losses.map(at).join(" "), fill: "none", stroke: "var(--color-accent)", "stroke-width": 1.6 }));
    plot.append(drawn("text", { class: "faint", x: 10, y: 10 }, `loss ${high.toFixed(2)}`));
    plot.append(drawn("text", { class: "faint", x: 310, y: 106, "text-anchor": "end" }, `${low.toFixed(2)} at its lowest; left to right: the last schedule`));
    return element("details", {}, element("summary", {}, "Training curve"), plot);
  }
}

window.segdemoZoo = {
  mount(root, props, watch, trigger, networks, costs, scores) {
    const zoo = new Zoo(root, networks, costs, scores, (name) => {
      props.value = { picked: name, turn: ((props.value && props.value.turn) || 0) + 1 };
      trigger("select");
    });
    const follow = () => { if (props.value && props.value.shown) zoo.show(props.value.shown); };
    follow();  // a network may have run before the zoo was opened
    watch("value", follow);
  },
};
