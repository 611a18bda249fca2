// Mean field as a film: score map and belief map of a chosen class, the free energy and the change in Q.

class FilmLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    const read = (u, v) => this.result && this.readAt(u, v);
    this.boards = {
      photo: new Board(this.part("photo"), (context, size) => this.result && this.paintPhoto(context, size)),
      score: new Board(this.part("score"), (context, size) => this.result && drawLayer(context, this.map("score", this.at), size, { isSmooth: true }), read),
      belief: new Board(this.part("belief"), (context, size) => this.result && drawLayer(context, this.map("belief", this.at), size, { isSmooth: true }), read),
    };
    this.player = new Player(this.part("player"), "mean-field iteration", (k) => this.go(k), 700);
    this.energy = new Curve(this.part("energy"), (k) => this.player.move(k), 160);
    this.change = new Curve(this.part("change"), (k) => this.player.move(k + 1), 160);
    for (const name of ["network", "iterations"]) this.part(name).addEventListener("change", () => this.result && this.request());
    this.part("class").addEventListener("change", () => this.choose(this.number("class")));
  }

  question() { return { network: this.part("network").value, iterations: this.number("iterations") }; }
  get at() { return this.player.position; }

  async decode(value) {
    const [image, scores] = await Promise.all([loadImage(value.photo), unpack(value.scores)]);
    const steps = value.energy.length, height = scores.height / (steps * value.names.length);
    return { ...value, image, steps, width: scores.width, height, scores: scores.values };
  }

  receive(result) {
    const old = this.result && this.result.photo === result.photo && this.result.names[this.chosen];
    this.result = result;
    for (const board of Object.values(this.boards)) board.shape(result.width, result.height);
    const last = result.steps - 1;
    this.energy.load(result.energy, { title: "free energy F(Q), nats per pixel", left: "the network", right: `iteration ${last}`, ticks: true });
    this.change.load(result.change.slice(1).map((value) => 100 * value), { title: "change in Q, % of the belief", left: "iteration 1", right: `iteration ${last}`, ticks: true, fromZero: true });
    const select = this.part("class");
    select.disabled = false;
    select.replaceChildren(...result.names.map((name, k) => html("option", { value: k }, name)));
    const kept = result.names.indexOf(old), object = result.names.findIndex((name) => name !== "background");  // the largest, if there is one
    this.chosen = kept >= 0 ? kept : Math.max(object, 0);
    select.value = this.chosen;
    this.maps = new Map();
    this.player.load(result.steps, Math.min(this.at, last));
    this.fillStrip();
  }

  choose(label) {
    this.chosen = label;
    this.maps = new Map();
    this.fillStrip();
    this.go(this.at);
  }

  // --- maps -----------------------------------------------------------------------------------

  // The class's scores ln q / (1 - q) after iteration k, in steps of 2 range / levels.
  plane(k) {
    const { scores, width, height, names } = this.result, count = width * height, first = (k * names.length + this.chosen) * count;
    return scores.subarray(first, first + count);
  }

  score(level) { return this.result.range * (2 * level / this.result.levels - 1); }
  belief(level) { return 1 / (1 + Math.exp(-this.score(level))); }

  map(kind, k) {
    const key = `${kind} ${k}`, { width, height, levels } = this.result;
    if (!this.maps.has(key)) {
      const plane = this.plane(k), canvas = blankCanvas(width, height);
      const shades = Uint8Array.from({ length: levels + 1 }, (_, level) => Math.round(255 * (kind === "score" ? level / levels : this.belief(level))));
      paintPixels(canvas, width, height, (i) => viridisPixels[shades[plane[i]]]);
      this.maps.set(key, canvas);
    }
    return this.maps.get(key);
  }

  // The photo, pale where the class is not, with the line where its belief passes one half.
  paintPhoto(context, size) {
    const { image, width, height, levels } = this.result, inside = Uint8Array.from(this.plane(this.at), (level) => (level > levels / 2 ? 1 : 0));
    drawLayer(context, image, size, { isSmooth: true });
    drawLayer(context, labelLayer({ width, height, values: inside }, (isIn) => (isIn ? 0 : pixelOf("#ffffff", 130))), size);
    drawLayer(context, boundaryLayer({ width, height, values: inside }, pixelOf("#ff3b6b", 255)), size);
  }

  fillStrip() {
    const thumb = (kind, k) => {
      const canvas = blankCanvas(144, Math.max(1, Math.round(144 * this.result.height / this.result.width)));
      canvas.getContext("2d").drawImage(this.map(kind, k), 0, 0, canvas.width, canvas.height);
      return canvas;
    };
    this.part("strip").replaceChildren(...Array.from({ length: this.result.steps }, (_, k) => {
      const button = html("button", { type: "button", "aria-pressed": String(k === this.at) }, thumb("score", k), thumb("belief", k), k ? `iteration ${k}` : "network");
      button.addEventListener("click", () => this.player.move(k));
      return button;
    }));
  }

  // --- where it stands ------------------------------------------------------------------------

  go(k) {
    if (!this.result) return "";
    this.energy.at(k);
    this.change.at(clamp(k - 1, 0, this.result.steps - 2));
    for (const board of Object.values(this.boards)) board.refresh();
    const strip = this.part("strip"), frame = strip.children[k];
    for (const [other, button] of [...strip.children].entries()) button.setAttribute("aria-pressed", String(other === k));
    if (frame) strip.scrollLeft = frame.offsetLeft - strip.offsetLeft - (strip.clientWidth - frame.clientWidth) / 2;
    return this.describe(k);
  }

  describe(k) {
    const { names, energy, change, turned, steps } = this.result, mean = this.plane(k).reduce((sum, level) => sum + this.belief(level), 0) / (this.result.width * this.result.height);
    const text = k
      ? [`Of the belief ${percent(change[k])} moved, F = ${energy[k].toFixed(4)} (${(energy[k] - energy[k - 1]).toFixed(4).replace(/^-(?=[0.]*$)/, "").replace("-", "−")}). So far ${percent(turned[k])} of the labels differ from the network's; mean belief in ${names[this.chosen]} ${mean.toFixed(3)}.`]
      : [`The class's log-odds and its belief as the network gives them, before the first iteration. F = ${energy[0].toFixed(4)}; mean belief in ${names[this.chosen]} ${mean.toFixed(3)}.`];
    this.say("caption", html("b", {}, k ? `Iteration ${k} of ${steps - 1}. ` : "The network's output. "), ...text);
    return this.part("caption").textContent;
  }

  readAt(u, v) {
    const { width, height, names } = this.result, level = this.plane(this.at)[Math.floor(v * height) * width + Math.floor(u * width)];
    this.say("caption", html("b", {}, `${names[this.chosen]} at ${Math.floor(100 * u)} %, ${Math.floor(100 * v)} %: `), `score ${this.score(level).toFixed(2)}, belief ${this.belief(level).toFixed(3)}.`);
  }
}
