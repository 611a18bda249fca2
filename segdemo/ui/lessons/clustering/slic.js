// SLIC round by round: seeds, search windows, moving centres, boundaries.

class SlicLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    Object.assign(this, { chosen: -1, own: null, start: 1 });
    this.board = new Board(this.part("picture"), (context, size) => this.result && this.paint(context, size), (u, v, isMeant) => this.result && (isMeant === false ? this.hover(u, v) : this.choose(u, v)));
    this.player = new Player(this.part("player"), "round of SLIC", (k) => this.go(k), 900);
    this.curve = new Curve(this.part("curve"), (k) => this.player.move(k + this.start), 200);
    for (const name of ["count", "compactness", "adaptive"]) this.part(name).addEventListener("input", () => { this.writeFields(); if (this.result) this.requestSoon(); });
    for (const name of ["boundaries", "centres", "window"]) this.part(name).addEventListener("change", () => this.board.refresh());
    this.part("paint").addEventListener("change", () => { this.writeScale(); this.board.refresh(); });
    this.writeFields();
  }

  // The slider of the compactness is logarithmic: 1 to 80.
  get compactness() { return Number((80 ** this.number("compactness")).toPrecision(2)); }

  writeFields() {
    this.say("compactness-value", String(this.compactness));
    this.say("compactness-name", this.part("adaptive").checked ? "m in round 1" : "compactness m");
  }

  question() { return { superpixels: this.number("count"), compactness: this.compactness, adaptive: this.part("adaptive").checked }; }

  async decode(value) {
    const [image, ...maps] = await Promise.all([loadImage(value.photo), ...value.frames.map((frame) => unpack(frame.labels))]);
    return { ...value, image, frames: value.frames.map((frame, k) => ({ ...frame, labels: maps[k] })) };
  }

  // A new compactness or SLICO leaves the round and the chosen centre where they are.
  receive(result) {
    const isSame = this.result && this.result.photo === result.photo && this.result.frames.length === result.frames.length;
    const isSameGrid = isSame && this.result.frames[0].centres.length === result.frames[0].centres.length;
    this.result = result;
    this.layers = new Map();
    this.readOwn(result);
    const [height, width] = result.shape;
    this.board.shape(width, height);
    if (!isSameGrid) this.chosen = this.nearest(result.frames[0].centres, 0.5, 0.45);
    // SLICO's first round measures with the same m for all: its D² is of another scale and would flatten the rest.
    this.start = this.own && result.objectives.length > 2 ? 2 : 1;
    this.curve.load(result.objectives.slice(this.start - 1), {
      title: this.own ? "mean D² per pixel, own compactness" : "mean squared distance D² per pixel", left: `round ${this.start}`, right: `round ${result.objectives.length}`, ticks: true,
    });
    this.player.load(result.frames.length, isSame ? this.player.position : 0);
  }

  // The range of m_c over all rounds; without SLICO there is none, and nothing to paint by it.
  readOwn({ frames }) {
    const all = frames.flatMap(({ compactness }) => compactness || []), isOwn = all.length > 0, paint = this.part("paint");
    this.own = isOwn ? [Math.min, Math.max].map((pick) => all.reduce((a, b) => pick(a, b))) : null;
    paint.querySelector("[value=own]").disabled = !isOwn;
    if (!isOwn && paint.value === "own") paint.value = "photo";
    this.writeScale();
  }

  writeScale() {
    const isShown = Boolean(this.own) && this.part("paint").value === "own";
    this.part("scale").hidden = !isShown;
    if (isShown) this.own.forEach((value, k) => this.say(k ? "scale-high" : "scale-low", value.toFixed(1)));
  }

  // The frame of the last round that has centres: connected superpixels are shown by the clusters that they come from.
  get measured() { return this.result.frames[Math.min(this.player.position, this.result.objectives.length)]; }

  get frame() { return this.result.frames[this.player.position]; }

  nearest(centres, u, v) {
    const [height, width] = this.result.shape, away = centres.map(([row, column]) => Math.hypot(row + 0.5 - v * height, column + 0.5 - u * width));
    return away.indexOf(Math.min(...away));
  }

  choose(u, v) {
    if (!this.frame.searched.length) return;
    this.chosen = this.nearest(this.frame.searched, u, v);
    this.board.refresh();
    this.describe();
  }

  hover(u, v) {
    const { width, height, values } = this.frame.labels, label = values[Math.floor(v * height) * width + Math.floor(u * width)];
    this.say("hover", `Superpixel ${label + 1}: ${plural(this.sizeOf(label), "pixel")}${this.frame.compactness ? `, own compactness ${this.frame.compactness[label].toFixed(1)}` : ""}.`);
  }

  sizeOf(label) { return this.frame.labels.values.reduce((sum, other) => sum + (other === label ? 1 : 0), 0); }

  go(position) {
    if (!this.result) return "";
    this.say("hover");
    this.curve.at(position < this.start ? null : Math.min(position, this.result.objectives.length) - this.start);
    this.board.refresh();
    return this.describe();
  }

  describe() {
    const { frame, result, player: { position } } = this, rounds = result.objectives.length;
    const window = `The highlighted centre looks at its window of 2S × 2S pixels, S = ${result.spacing.toFixed(1)}`;
    const texts = position === 0 ? ["Seeds.", ` ${plural(frame.centres.length, "seed")} on a grid, S = ${result.spacing.toFixed(1)} pixels apart (the photo has ${result.shape[1]} × ${result.shape[0]} here), each moved to the lowest gradient among its 3 × 3 pixels, off the edges.`]
      : position > rounds ? ["Connectivity.", ` Small stray pieces have joined a neighbour, large ones are superpixels of their own now: ${plural(result.frames[0].centres.length, "cluster")} became ${plural(result.superpixels, "superpixel")}, each in one piece.`]
        : [`Round ${position} of ${rounds}.`, ` ${window}, and holds ${plural(this.sizeOf(this.chosen), "pixel")} of it.${this.describeOwn(position)} Then every centre moved to the mean of its pixels, by ${result.movements[position - 1].toFixed(2)} pixels on average.`];
    this.say("caption", html("b", {}, texts[0]), texts[1]);
    return texts.join("");
  }

  describeOwn(position) {
    const { compactness } = this.frame;
    if (!compactness) return "";
    if (position === 1) return ` In the first round all have the compactness ${this.compactness}.`;
    const middle = [...compactness].sort((a, b) => a - b)[compactness.length >> 1];
    return ` Its own compactness is ${compactness[this.chosen].toFixed(1)}, the largest colour distance seen in it so far; the median of all is ${middle.toFixed(1)}.`;
  }

  // --- painting -----------------------------------------------------------------------------

  layer(name, make) {
    const key = `${name} ${this.player.position}`;
    if (!this.layers.has(key)) this.layers.set(key, make(this.frame.labels));
    return this.layers.get(key);
  }

  paint(context, size) {
    const { frame, result: { image, shape } } = this, scale = size.width / shape[1], isConnected = !frame.searched.length;
    drawLayer(context, image, size, { isSmooth: true });
    if (this.part("paint").value === "mean") drawLayer(context, this.layer("mean", (labels) => this.meanColours(labels)), size);
    if (this.part("paint").value === "own" && this.own) drawLayer(context, this.layer("own", () => this.paintOwn()), size);
    if (this.part("window").checked && !isConnected) this.dim(context, size, scale);
    if (this.part("boundaries").checked) drawLayer(context, this.layer("edges", (labels) => boundaryLayer(labels, pixelOf("#ffdc00", 255))), size);
    if (this.part("window").checked && !isConnected) this.paintWindow(context, scale);
    if (this.part("centres").checked && !isConnected) this.paintCentres(context, scale);
  }

  // [x, y, side] on the canvas of the chosen centre's window.
  windowOn(scale) {
    const [row, column] = this.frame.searched[this.chosen], reach = this.result.spacing;
    return [(column - reach + 0.5) * scale, (row - reach + 0.5) * scale, 2 * reach * scale];
  }

  // Everything outside the window is dimmed; inside, what belongs to the centre is lit.
  dim(context, size, scale) {
    const [x, y, side] = this.windowOn(scale), own = pixelOf("#ff3b6b", 130);
    context.beginPath();
    context.rect(0, 0, size.width, size.height);
    context.rect(x, y, side, side);
    context.fillStyle = "rgba(0,0,0,.34)";
    context.fill("evenodd");
    drawLayer(context, labelLayer(this.frame.labels, (label) => (label === this.chosen ? own : 0)), size);
  }

  paintWindow(context, scale) {
    const [x, y, side] = this.windowOn(scale);
    for (const [colour, thickness] of [["#000", 5], ["#fff", 2.5]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
      context.strokeRect(x, y, side, side);
    }
  }

  // A line from where each centre searched to where it went.
  paintCentres(context, scale) {
    const { searched, centres } = this.frame, radius = Math.max(2.5, Math.min(5, this.result.spacing * scale / 9));
    const at = ([row, column]) => [(column + 0.5) * scale, (row + 0.5) * scale];
    for (const [k, from] of searched.entries()) {
      const [x, y] = at(centres[k]);
      for (const [colour, thickness] of [["#000", 4], ["#fff", 2]]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
        context.beginPath();
        context.moveTo(...at(from));
        context.lineTo(x, y);
        context.stroke();
      }
      for (const [colour, r] of [["#000", radius + 1.5], [k === this.chosen ? "#ff3b6b" : "#fff", radius]]) {
        context.fillStyle = colour;
        context.beginPath();
        context.arc(x, y, k === this.chosen ? r + 2 : r, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  // Every cluster in viridis by its m_c.
  // A connected superpixel has the compactness of the cluster that most of it comes from.
  paintOwn() {
    const { compactness, labels: { values } } = this.measured, { labels } = this.frame, [low, high] = this.own, shared = new Map(), most = new Map();
    labels.values.forEach((label, i) => {
      const pair = label * compactness.length + values[i], count = (shared.get(pair) || 0) + 1;
      shared.set(pair, count);
      if (count > (most.get(label)?.count || 0)) most.set(label, { count, cluster: values[i] });
    });
    return labelLayer(labels, (label) => viridisPixels[Math.round(255 * (compactness[most.get(label).cluster] - low) / (high - low || 1))]);
  }

  meanColours(labels) {
    const { width, height, values } = labels, canvas = blankCanvas(width, height), context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.result.image, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height), sums = new Float64Array(4 * (values.reduce((most, label) => Math.max(most, label), 0) + 1));
    values.forEach((label, i) => { for (let c = 0; c < 3; c++) sums[4 * label + c] += data[4 * i + c]; sums[4 * label + 3] += 1; });
    return labelLayer(labels, (label) => {
      const [r, g, b] = [0, 1, 2].map((c) => Math.round(sums[4 * label + c] / sums[4 * label + 3]));
      return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    });
  }
}
