// The replay: transport, slider, caption, and the curve of the energy beside them.
// Positions 0..n-1 are the frames, position n is the result itself.

const FRAME_MS = 700, CURVE = { height: 112, left: 6, right: 6, top: 9, bottom: 17 };

class Replay {
  constructor(root, onFrame) {
    this.part = (name) => root.querySelector(`[data-testid="${name}"]`);
    this.box = this.part("replay");
    this.onFrame = onFrame;
    this.frames = [];
    this.slider = this.part("frame");
    this.layers = this.part("layer");
    this.speed = this.part("speed");
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.layers.addEventListener("change", () => this.onFrame());
    this.part("play").addEventListener("click", () => this.toggle());
    this.part("step-back").addEventListener("click", () => this.step(-1));
    this.part("step-forward").addEventListener("click", () => this.step(1));
    this.figure = this.part("energy");
    this.curve = this.figure.querySelector("svg");
    this.energy = [];
    new ResizeObserver(() => this.buildCurve()).observe(this.curve);
    this.listenToCurve();
  }

  show(result) {
    this.pause();
    this.frames = result.frames;
    this.last = result.last;
    this.energy = result.energy;
    this.energyTexts = result.energy_texts;
    Object.assign(this, { steps: result.steps, after: result.after, total: result.count, shown: result.shown, names: result.step_names });
    this.box.hidden = this.frames.length === 0;
    this.position = this.frames.length;
    this.slider.max = this.frames.length;
    this.fillLayers();
    this.energyName = result.energy_name;
    this.buildCurve();
    this.refresh();
  }

  fillLayers() {
    const has = (part) => this.frames.some((frame) => frame[part]);
    const maps = this.frames.flatMap((frame) => Object.keys(frame.maps));
    const layers = [...(has("labels") ? ["labels"] : []), ...(has("image") ? ["image"] : []), ...new Set(maps)];
    this.layers.replaceChildren(...layers.map((name) => new Option(name, name)));
    this.layers.hidden = layers.length < 2;
  }

  get layer() {
    return this.layers.value;
  }

  // The frame now shown, or null when the result is.
  get frame() {
    return this.frames[this.position] || null;
  }

  go(position) {
    if (!this.frames.length) return;
    this.position = Math.min(Math.max(position, 0), this.frames.length);
    this.refresh();
    this.onFrame();
  }

  step(by) {
    this.pause();
    this.go(this.position + by);
  }

  toggle() {
    if (this.timer) this.pause();
    else if (this.frames.length) this.play();
  }

  play() {
    if (this.position >= this.frames.length) this.go(0);
    const advance = () => {
      this.timer = 0;
      if (!this.box.isConnected) return;
      this.go(this.position + 1);
      if (this.position < this.frames.length) this.timer = setTimeout(advance, FRAME_MS / Number(this.speed.value));
      this.refresh();
    };
    this.timer = setTimeout(advance, FRAME_MS / Number(this.speed.value));
    this.refresh();
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.part("play").classList.remove("sv-playing");
    this.part("play").setAttribute("aria-label", "play");
  }

  refresh() {
    const count = this.frames.length, frame = this.frame;
    const caption = frame ? frame.caption : this.last;
    this.slider.value = this.position;
    this.slider.style.setProperty("--part", count ? `${(100 * this.position) / count}%` : "0%");
    this.slider.setAttribute("aria-valuetext", caption);
    this.part("frame-count").textContent = this.count();
    this.part("caption").textContent = caption;
    this.part("play").classList.toggle("sv-playing", Boolean(this.timer));
    this.part("play").setAttribute("aria-label", this.timer ? "pause" : "play");
    this.part("step-back").disabled = this.position === 0;
    this.part("step-forward").disabled = this.position === count;
    this.moveMarker();
  }

  // Which step is shown, or how many the method took, by its own numbers: the replay may leave out some of them, begin
  // with 0 or end with what is none of them.
  count() {
    const all = `${this.total} ${this.names[this.total === 1 ? 0 : 1]}`;
    if (this.frame) return this.after[this.position] ? "afterwards" : `${this.names[0]} ${this.steps[this.position]} of ${this.total}`;
    return this.shown < this.total ? `${all}, ${this.shown} shown` : all;
  }

  // Drawn at the size it has on the page, so that its text keeps the size of text.
  buildCurve() {
    const values = this.energy.map((value, i) => [i, value]).filter(([, value]) => value !== null);
    this.figure.hidden = values.length < 2;
    this.figure.querySelector("span").textContent = this.energyName;
    if (this.figure.hidden) return;  // before its width is asked for, for which the browser lays out the page
    const { height, left, right, top, bottom } = CURVE, width = this.curve.clientWidth, floor = height - bottom;
    if (!width) return;
    const low = Math.min(...values.map(([, value]) => value)), high = Math.max(...values.map(([, value]) => value));
    const first = this.steps[0], last = this.steps.at(-1);
    this.curveX = (i) => left + ((width - left - right) * (this.steps[i] - first)) / (last - first || 1);
    this.curveY = (value) => top + (floor - top) * (high > low ? (high - value) / (high - low) : 0.5);
    const written = (value) => this.energyTexts[this.energy.indexOf(value)];
    const points = values.map(([i, value]) => [this.curveX(i).toFixed(1), this.curveY(value).toFixed(1)]);
    const text = (words, x, y, anchor = "start") => makeVector("text", { x, y, "text-anchor": anchor }, words);
    const path = points.join(" ");
    this.needle = makeVector("line", { class: "sv-needle", y1: top - 5, y2: floor });
    this.marker = makeVector("circle", { class: "sv-marker", r: 5 });
    this.curve.replaceChildren(
      ...[top, (top + floor) / 2, floor].map((y) =>
        makeVector("line", { class: "sv-grid", x1: left, x2: width - right, y1: y, y2: y })),
      makeVector("polyline", { class: "sv-line", points: path }),
      ...points.map(([cx, cy]) => makeVector("circle", { class: "sv-dot", cx, cy, r: 2 })),
      text(high > low ? written(high) : "", width - right, top + 12, "end"),
      text(written(low), left, floor - 4),
      text(`${this.names[0]} ${first}`, left, height - 3),
      text(this.after.at(-1) ? "afterwards" : `${this.names[0]} ${last}`, width - right, height - 3, "end"),
      this.needle, this.marker,
    );
    this.moveMarker();
  }

  moveMarker() {
    if (this.figure.hidden || !this.needle) return;
    const at = Math.min(this.position, this.energy.length - 1), value = this.energy[at];
    this.part("energy-value").textContent = this.energyTexts[at];
    this.needle.setAttribute("x1", this.curveX(at));
    this.needle.setAttribute("x2", this.curveX(at));
    this.marker.setAttribute("visibility", value === null ? "hidden" : "visible");
    if (value === null) return;
    this.marker.setAttribute("cx", this.curveX(at));
    this.marker.setAttribute("cy", this.curveY(value));
  }

  listenToCurve() {
    const svg = this.curve;
    const follow = (event) => {
      const box = svg.getBoundingClientRect();
      const distance = (i) => Math.abs(box.left + this.curveX(i) - event.clientX);
      this.pause();
      this.go(this.energy.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0));
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      follow(event);
    });
    svg.addEventListener("pointermove", (event) => svg.hasPointerCapture(event.pointerId) && follow(event));
  }
}
