// The lesson on the graph: pick a patch, see its nodes and edges, step through the augmenting paths.

const CURVE = { left: 7, right: 7, top: 8, floor: 54, band: 12 };

class GraphLesson {
  constructor(root, ask) {
    Object.assign(this, { root, ask, patch: null, turn: 0 });
    this.drawing = new Drawing(this.part("graph"), this.part("tip"));
    root.graphLesson = this;
    this.makeLegend();
    this.listen();
    window.addEventListener("segdemo-changed", ({ detail }) => {
      if (detail.isOfLessons && root.isConnected && root.dataset.state === "result") this.part("stale").hidden = false;
    });
  }

  part(name) { return this.root.querySelector(`[data-testid="gp-${name}"]`); }

  // --- asking and showing ------------------------------------------------------------------

  // Asks for the patch around `place`, in pixels of the photo; else around x and y, or for one of the lesson's own choice.
  request(place) {
    const number = (name) => (this.part(name).value === "" ? null : Number(this.part(name).value));
    const [x, y] = place || [number("x"), number("y")];
    this.pause();
    this.part("busy").hidden = false;
    this.changesAsked = this.changes;
    this.ask({ ask: { turn: ++this.turn, x, y, size: number("size"), side: number("side") } });
  }

  get changes() { return (window.segdemoChanges || { lessons: 0 }).lessons; }

  show(value) {
    if (value && value.state === "empty") this.empty();
    else if (value && value.state && value.turn === this.turn) this.answer(value);
  }

  // The answer to the last question; those to earlier ones are not wanted any more.
  answer(value) {
    this.part("busy").hidden = true;
    this.part("error").hidden = !value.message;
    this.part("error").textContent = value.message || "";
    if (value.state !== "result") return;
    this.part("stale").hidden = this.changes === this.changesAsked;
    this.patch = new Patch(JSON.parse(JSON.stringify(value)));  // Gradio's values are proxies, slow to read
    this.root.dataset.state = "result";
    this.part("body").hidden = false;
    this.part("step").max = this.patch.last;
    this.drawing.show(this.patch);
    this.drawPicker();
    this.drawCurve();
    this.go(0);
  }

  // Another photo: a patch of the old one means nothing on it.
  empty() {
    this.pause();
    this.turn += 1;  // an answer still under way belongs to the old photo
    this.patch = null;
    for (const name of ["busy", "error", "stale"]) this.part(name).hidden = true;
    this.root.dataset.state = "empty";
    this.part("body").hidden = true;
    this.part("x").value = this.part("y").value = "";
  }

  drawPicker() {
    const { picture, working: [width, height], corner: [top, left], rows, columns, photo, leaving: [links, capacity] } = this.patch;
    const rim = Math.max(width, height) / 130;
    const frame = (name, grow) => svg("rect", { class: name, x: left - grow, y: top - grow, width: columns + 2 * grow, height: rows + 2 * grow, "stroke-width": rim });
    const picker = this.part("picker");
    picker.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picker.replaceChildren(svg("image", { href: picture, width, height, preserveAspectRatio: "none" }), frame("gp-shade", rim), frame("gp-frame", rim / 4));
    this.part("x").value = Math.floor((left + columns / 2) / width * photo[0]);
    this.part("y").value = Math.floor((top + rows / 2) / height * photo[1]);
    this.part("x").max = photo[0] - 1;
    this.part("y").max = photo[1] - 1;
    this.part("where").textContent = `Click to move the patch. The photo has ${width} x ${height} pixels here, the white line is its minimum cut. ` +
      (links ? `${plural(links, "n-link")} (${this.patch.nats(capacity)} nats) lead out of the patch to pixels that keep their label: they are part of the t-links here.` : "The patch is the whole photo.");
  }

  makeLegend() {
    const sample = (d, style) => svg("svg", { viewBox: "0 0 34 12" }, svg("path", { d, style: `fill:none;stroke-linecap:round;${style}` }));
    const rows = [
      ["s", "source links", "stroke:var(--of-source);stroke-width:3"], ["t", "sink links", "stroke:var(--of-sink);stroke-width:3"],
      ["n", "n-links", "stroke:var(--ink);stroke-width:3"], [null, "faint: capacity, strong: flow on it", "stroke:var(--ink);stroke-width:6;opacity:.3"],
      [null, "dotted: full, nothing more fits", "stroke:var(--ink);stroke-width:1.6;stroke-dasharray:1 5"],
      [null, "the path of this step", "stroke:var(--of-path);stroke-width:4;stroke-dasharray:8 6"],
      [null, "severed by the minimum cut", "stroke:var(--of-cut);stroke-width:2.4;stroke-dasharray:7 5"],
    ];
    this.part("legend").replaceChildren(...rows.map(([kind, text, style]) => {
      const row = html(kind ? "button" : "span", "", sample("M2 6H32", style), text);
      if (!kind) return row;
      row.type = "button";
      row.title = "show or hide";
      row.setAttribute("aria-pressed", "true");
      row.addEventListener("click", () => {
        const isHidden = this.part("graph").classList.toggle(`gp-hide-${kind}`);
        row.setAttribute("aria-pressed", String(!isHidden));
      });
      return row;
    }));
  }

  // --- stepping ----------------------------------------------------------------------------

  go(position) {
    if (!this.patch) return;
    this.drawing.refresh(this.patch.go(position));
    const { patch } = this, paths = patch.steps.length;
    this.root.dataset.position = patch.position;
    this.part("step").value = patch.position;
    this.part("count").textContent = patch.isDone ? "the minimum cut" : `path ${patch.position} of ${paths}`;
    this.part("caption").replaceChildren(...(patch.isDone ? this.describeCut() : patch.step ? this.describeStep(patch.step) : this.describeStart()));
    this.part("step").setAttribute("aria-valuetext", this.part("caption").textContent);
    this.part("more").textContent = patch.isDone ? this.compareWithWhole() : "";
    for (const [name, limit] of [["first", 0], ["back", 0], ["next", patch.last], ["last", patch.last]]) this.part(name).disabled = patch.position === limit;
    this.moveNeedle();
  }

  describeStart() {
    const { pixels, ends, steps } = this.patch;
    return [`No flow yet: ${plural(pixels, "pixel")}, ${2 * pixels} t-links and ${plural(ends.length - 2 * pixels, "n-link")}, drawn as thick as their `,
      `capacity (of seeds, no thicker than the thickest n-link). ${plural(steps.length, "path")} will follow, shortest first.`];
  }

  describeStep(step) {
    const { patch } = this, walk = patch.edgesOf(step), full = walk.filter(({ edge }) => patch.isFull(edge)).length;
    return [html("b", "gp-p", `Path ${patch.position}`), `, ${plural(walk.length, "edge")} long: ${patch.nodesOf(step).map((node) => patch.name(node)).join(" → ")}. It sends `,
      html("b", "", patch.nats(step[0])), ` nats, the least free capacity on it${full ? `, and fills ${plural(full, "edge")}` : ", which only takes back earlier flow"}. Flow so far: `,
      html("b", "", patch.nats(patch.total)), "."];
  }

  describeCut() {
    const { patch } = this, count = (kind) => patch.cut.filter((edge) => patch.kind(edge) === kind).length;
    const capacity = patch.cut.reduce((sum, edge) => sum + patch.capacities[edge], 0), inside = patch.inside.reduce((sum, side) => sum + side, 0);
    return ["No path is left. ", html("b", "gp-p", `Maximum flow ${patch.nats(patch.total)}`), " = ", html("b", "gp-c", `capacity of the cut ${patch.nats(capacity)}`),
      `: ${plural(count("s"), "source link")}, ${plural(count("t"), "sink link")} and ${plural(count("n"), "n-link")} are severed. `,
      html("b", "gp-s", plural(inside, "pixel")), " the source still reaches: object. The other ", html("b", "gp-t", String(patch.pixels - inside)), ": background."];
  }

  compareWithWhole() {
    const { patch } = this, other = patch.inside.filter((side, p) => side !== patch.whole[p]).length;
    return other ? `The whole photo's cut puts ${plural(other, "of these pixels").replace("pixelss", "pixels")} on the other side, at the same cost.`
      : "The whole photo's cut divides these pixels in the same way.";
  }

  get isPlaying() { return Boolean(this.timer); }

  play() {
    if (!this.patch) return;
    if (this.patch.isDone) this.go(0);
    const advance = () => {
      this.timer = 0;
      if (!this.root.isConnected) return;
      this.go(this.patch.position + 1);
      if (this.patch.isDone) this.pause();
      else this.timer = setTimeout(advance, 1000 / Number(this.part("speed").value));
    };
    this.timer = setTimeout(advance, 0);
    this.part("play").classList.add("gp-playing");
    this.part("play").setAttribute("aria-label", "pause");
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.part("play").classList.remove("gp-playing");
    this.part("play").setAttribute("aria-label", "play");
  }

  step(by) {
    this.pause();
    if (this.patch) this.go(this.patch.position + by);
  }

  // --- the curve: flow after each path, and below it how long the paths are ----------------

  drawCurve() {
    const canvas = this.part("curve"), width = canvas.clientWidth, { patch } = this;
    if (!patch || !width) return;
    const { left, right, top, floor, band } = CURVE, most = patch.totals.at(-1) || 1;
    this.curveX = (position) => left + (width - left - right) * position / patch.last;
    this.curveY = (total) => floor - (floor - top) * total / most;
    const points = [...patch.totals, most].map((total, k) => `${this.curveX(k).toFixed(1)},${this.curveY(total).toFixed(1)}`);
    const bands = [];
    for (const [k, step] of patch.steps.entries()) {
      const length = step.length - 1;
      if (bands.length && bands.at(-1).length === length) bands.at(-1).to = k + 1.5;
      else bands.push({ length, from: k + 0.5, to: k + 1.5 });
    }
    this.needle = svg("line", { class: "gp-needle", y1: top - 6, y2: floor });
    this.dot = svg("circle", { r: 5 });
    canvas.replaceChildren(
      svg("polygon", { class: "gp-area", points: `${left},${floor} ${points.join(" ")} ${width - right},${floor}` }),
      svg("polyline", { class: "gp-line", points: points.join(" ") }),
      ...bands.flatMap(({ length, from, to }, i) => {
        const x = this.curveX(from), span = this.curveX(to) - x, text = span > 104 ? `paths of ${length} edges` : span > 14 ? String(length) : "";
        return [svg("rect", { class: `gp-band${i % 2 ? " gp-odd" : ""}`, x, y: floor + 3, width: span, height: band + 6, rx: 2 }),
          svg("text", { x: x + span / 2, y: floor + band + 4, "text-anchor": "middle" }, text)];
      }),
      svg("text", { x: left + 4, y: top + 6 }, `flow, up to ${patch.nats(most)} nats`), this.needle, this.dot,
    );
    this.moveNeedle();
  }

  moveNeedle() {
    if (!this.needle || !this.patch) return;
    const x = this.curveX(this.patch.position);
    this.needle.setAttribute("x1", x);
    this.needle.setAttribute("x2", x);
    this.dot.setAttribute("cx", x);
    this.dot.setAttribute("cy", this.curveY(this.patch.total));
  }

  // The page has another width.
  fit() {
    if (!this.patch) return;
    if (this.drawing.width !== this.drawing.fitting) this.drawing.show(this.patch);
    this.drawCurve();
  }

  // --- controls ----------------------------------------------------------------------------

  listen() {
    const actions = {
      show: () => this.request(), first: () => this.step(-1e9), back: () => this.step(-1), next: () => this.step(1), last: () => this.step(1e9),
      play: () => (this.isPlaying ? this.pause() : this.play()),
    };
    for (const [name, act] of Object.entries(actions)) this.part(name).addEventListener("click", act);
    for (const name of ["x", "y", "size", "side"]) this.part(name).addEventListener("change", () => this.patch && this.request());
    this.part("step").addEventListener("input", () => this.step(Number(this.part("step").value) - this.patch.position));
    this.part("picker").addEventListener("click", (event) => {
      const box = this.part("picker").getBoundingClientRect(), [width, height] = this.patch.photo;
      this.request([Math.floor((event.clientX - box.left) / box.width * width), Math.floor((event.clientY - box.top) / box.height * height)]);
    });
    this.listenToCurve();
    new ResizeObserver(() => this.fit()).observe(this.part("curve"));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  listenToCurve() {
    const curve = this.part("curve");
    const follow = (event) => {
      const box = curve.getBoundingClientRect();
      if (this.patch) this.step(Math.round((event.clientX - box.left) / box.width * this.patch.last) - this.patch.position);
    };
    curve.addEventListener("pointerdown", (event) => { curve.setPointerCapture(event.pointerId); follow(event); });
    curve.addEventListener("pointermove", (event) => curve.hasPointerCapture(event.pointerId) && follow(event));
  }

  onKey(event) {
    const isField = event.target.matches("input[type=number], select"), isButton = event.target.matches("button");
    const keys = {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), Home: () => this.step(-1e9), End: () => this.step(1e9),
      " ": () => (this.isPlaying ? this.pause() : this.play()),
    };
    const act = keys[event.key];
    if (!act || !this.patch || isField || (isButton && event.key === " ") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }
}

window.segdemoGraphPatch = {
  mount(root, props, watch, trigger) {
    const lesson = new GraphLesson(root, (question) => {
      props.value = question;
      trigger("input");
    });
    lesson.show(props.value);
    watch("value", () => lesson.show(props.value));
  },
};
