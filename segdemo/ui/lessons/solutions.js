// The lesson on lambda: a filmstrip of minimum cuts, and their energies as curves.

const PLOT = { left: 46, right: 18, top: 24, bottom: 20 };

const svg = (name, attributes = {}, text = "") => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== "") node.textContent = text;
  return node;
};

const bold = (className, text) => {
  const node = document.createElement("b");
  node.className = className;
  node.textContent = text;
  return node;
};

const digits = (value) => (value < 10 ? 2 : value < 1000 ? 1 : 0);
const round = (value, like = value) => value.toLocaleString("en", { maximumFractionDigits: digits(like) });
const short = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1000 ? `${value / 1000}k` : String(value));

// Ticks 1, 2 or 5 times a power of ten, about ``count`` of them, from 0 to ``high``.
const ticksTo = (high, count) => {
  const power = 10 ** Math.floor(Math.log10(high / count)), step = power * [1, 2, 5, 10].find((factor) => factor * power * count >= high);
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
};

class SolutionsLesson {
  constructor(root, ask) {
    Object.assign(this, { root, ask, value: null, at: 0, turn: 0 });
    root.solutionsLesson = this;
    this.part("show").addEventListener("click", () => this.request());
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    for (const name of ["energy", "length"]) this.listenToPlot(this.part(name));
    new ResizeObserver(() => this.drawCurves()).observe(this.part("energy"));
    window.addEventListener("segdemo-changed", ({ detail }) => {
      if (detail.isOfLessons && root.isConnected && root.dataset.state === "result") this.part("stale").hidden = false;
    });
  }

  part(name) { return this.root.querySelector(`[data-testid="so-${name}"]`); }
  get solutions() { return this.value ? this.value.solutions : []; }

  request() {
    this.part("busy").hidden = false;
    this.changesAsked = this.changes;
    this.ask({ ask: { turn: ++this.turn } });
  }

  get changes() { return (window.segdemoChanges || { lessons: 0 }).lessons; }

  show(value) {
    if (value && value.state === "empty") this.empty();
    else if (value && value.state && value.turn === this.turn) this.answer(value);
  }

  // Another photo: its solutions are others.
  empty() {
    this.turn += 1;  // an answer still under way belongs to the old photo
    this.value = null;
    this.root.dataset.state = "empty";
    for (const name of ["body", "busy", "error", "stale"]) this.part(name).hidden = true;
  }

  // The answer to the last question; those to earlier ones are not wanted any more.
  answer(value) {
    this.part("busy").hidden = true;
    this.part("error").hidden = !value.message;
    this.part("error").textContent = value.message || "";
    if (value.state !== "result") return;
    this.part("stale").hidden = this.changes === this.changesAsked;
    this.value = JSON.parse(JSON.stringify(value));  // Gradio's values are proxies, slow to read
    this.part("size").textContent = this.value.working.join(" x ");
    this.root.dataset.state = "result";
    this.part("body").hidden = false;
    this.fillStrip();
    const distance = ({ lambda }) => Math.abs(Math.log((lambda + 0.2) / (this.value.chosen + 0.2)));
    this.choose(this.solutions.reduce((best, solution, i, all) => (distance(solution) < distance(all[best]) ? i : best), 0));
  }

  fillStrip() {
    this.part("strip").replaceChildren(...this.solutions.map((solution, i) => {
      const frame = document.createElement("button"), image = new Image();
      frame.type = "button";
      frame.className = "so-frame";
      frame.setAttribute("role", "option");
      image.src = solution.picture;
      image.alt = "";
      frame.append(image, `λ = ${solution.lambda}`);
      frame.addEventListener("click", () => this.choose(i));
      return frame;
    }));
  }

  choose(at) {
    this.at = Math.min(Math.max(at, 0), this.solutions.length - 1);
    const solution = this.solutions[this.at], strip = this.part("strip");
    for (const [i, frame] of [...strip.children].entries()) {
      frame.setAttribute("aria-selected", String(i === this.at));
      frame.tabIndex = i === this.at ? 0 : -1;
    }
    const frame = strip.children[this.at];  // into view within the strip, without moving the page
    strip.scrollLeft = frame.offsetLeft - strip.offsetLeft - (strip.clientWidth - frame.clientWidth) / 2;
    this.root.dataset.at = this.at;
    this.part("picture").src = solution.picture;
    this.part("picture").alt = `minimum cut at lambda ${solution.lambda}`;
    const { lambda, edges, length, share } = solution, energy = solution.data + solution.smoothness;
    const [data, smoothness] = [solution.data, solution.smoothness].map((part) => Number(part.toFixed(digits(energy))));  // so that the sum is right as read
    this.part("caption").replaceChildren(
      bold("", `λ = ${lambda}`), `: E = ${round(data + smoothness, energy)} = `, bold("so-d", `data ${round(data, energy)}`), " + ", bold("so-b", `smoothness ${round(smoothness, energy)}`),
      lambda ? ` (${lambda} x ${round(solution.smoothness / lambda)})` : "", ` nats. The outline is ${round(length)} pixels long, severs ${edges.toLocaleString("en")} n-links, and encloses ${round(100 * share)} % of the photo.`,
    );
    this.drawCurves();
  }

  // --- curves ------------------------------------------------------------------------------

  // Lambda by its logarithm; 0 stands one step left of the least value.
  place(lambda, width) {
    const positive = this.solutions.map((s) => s.lambda).filter((value) => value > 0), low = Math.log(Math.min(...positive)), high = Math.log(Math.max(...positive));
    const step = (high - low) / Math.max(positive.length - 1, 1), from = low - step;
    const at = lambda > 0 ? Math.max(Math.log(lambda), from) : from;
    return PLOT.left + (width - PLOT.left - PLOT.right) * (at - from) / (high - from || 1);
  }

  drawCurves() {
    if (!this.value || !this.part("energy").clientWidth) return;
    this.drawPlot(this.part("energy"), 210, [
      ["E", "var(--ink)", (s) => s.data + s.smoothness], ["D data", "var(--of-data)", (s) => s.data], ["λB smoothness", "var(--of-border)", (s) => s.smoothness],
    ], "nats, on a square-root scale", Math.sqrt);
    this.drawPlot(this.part("length"), 130, [["length of the outline", "var(--ink)", (s) => s.length]], "pixels", (value) => value);
  }

  drawPlot(canvas, height, series, unit, scale) {
    const width = canvas.clientWidth, floor = height - PLOT.bottom, { solutions } = this;
    canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
    canvas.style.height = `${height}px`;
    const most = Math.max(...series.flatMap(([, , of]) => solutions.map(of)), 1e-6);
    const y = (value) => floor - (floor - PLOT.top) * scale(value) / scale(most), x = (solution) => this.place(solution.lambda, width);
    const parts = [];
    let lastY = Infinity;
    for (const tick of ticksTo(most, scale === Math.sqrt ? 8 : 3)) {
      if (lastY - y(tick) < 17) continue;
      lastY = y(tick);
      parts.push(svg("line", { class: "so-grid", x1: PLOT.left, x2: width - PLOT.right, y1: lastY, y2: lastY }),
        svg("text", { x: PLOT.left - 6, y: lastY + 4, "text-anchor": "end" }, short(tick)));
    }
    const every = width < 420 ? 2 : 1;
    solutions.forEach((s, i) => i % every || parts.push(svg("text", { x: x(s), y: height - 5, "text-anchor": "middle" }, s.lambda)));
    const needle = { x1: x(solutions[this.at]), x2: x(solutions[this.at]), y1: PLOT.top, y2: floor }, own = this.place(this.value.chosen, width);
    parts.push(svg("line", { class: "so-chosen", x1: own, x2: own, y1: PLOT.top, y2: floor }), svg("line", { class: "so-needle", ...needle }));
    let right = 0;
    for (const [name, hue, of] of series) {
      const title = svg("text", { class: "so-title", x: PLOT.left + right, y: 13, style: `fill:${hue}` }, name);
      right += 7.2 * name.length + 12;
      parts.push(svg("polyline", { class: "so-line", style: `--hue:${hue}`, points: solutions.map((s) => `${x(s)},${y(of(s))}`).join(" ") }), title,
        ...solutions.map((s, i) => svg("circle", { class: `so-dot${i === this.at ? " so-picked" : ""}`, style: `--hue:${hue}`, cx: x(s), cy: y(of(s)), r: i === this.at ? 5.5 : 2.5 })));
    }
    parts.push(svg("text", { x: width - PLOT.right, y: 13, "text-anchor": "end" }, width < 480 ? unit.split(",")[0] : unit));
    canvas.replaceChildren(...parts);
  }

  listenToPlot(canvas) {
    const follow = (event) => {
      if (!this.value) return;
      const x = event.clientX - canvas.getBoundingClientRect().left, gap = (s) => Math.abs(this.place(s.lambda, canvas.clientWidth) - x);
      const nearest = this.solutions.reduce((best, s, i, all) => (gap(s) < gap(all[best]) ? i : best), 0);
      if (nearest !== this.at) this.choose(nearest);
    };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); follow(event); });
    canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && follow(event));
  }

  onKey(event) {
    const to = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: this.solutions.length - 1 }[event.key];
    if (to === undefined || !this.value || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.choose(to);
    if (this.part("strip").contains(document.activeElement)) this.part("strip").children[this.at].focus({ preventScroll: true });
  }
}

window.segdemoSolutions = {
  mount(root, props, watch, trigger) {
    const lesson = new SolutionsLesson(root, (question) => {
      props.value = question;
      trigger("input");
    });
    lesson.show(props.value);
    watch("value", () => lesson.show(props.value));
  },
};
