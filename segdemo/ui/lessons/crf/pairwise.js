// The pairwise term from one pixel: kernels and messages, worked out here from the photo's pixels and the network's beliefs.

const KERNELS = ["bilateral", "spatial", "both"], INSET = 15;  // the inset reaches so many pixels of the grid to each side

// For a worker: the row sums D_i = sum_j exp(-|p_i - p_j|^2 / 2 s_xy^2 - |c_i - c_j|^2 / 2 s_rgb^2) of all pixels, every pair once.
// Terms below 10⁻⁷ are left out: all of them together are less than a hundredth of the pixel's own term, 1.
function sumRows({ width, height, colours, place, colour }) {
  const TINY = 1e-7;
  const count = width * height, sums = new Float64Array(count).fill(1), channel = [16, 8, 0].map((shift) => Int32Array.from(colours, (c) => (c >> shift) & 255));
  const [r, g, b] = channel, far = 3 * 255 * 255, near = Float32Array.from({ length: far + 1 }, (_, d) => Math.exp(-d / (2 * colour * colour)));
  let limit = near.findIndex((value) => value < TINY);
  if (limit < 0) limit = far + 1;
  const apart = Float64Array.from({ length: Math.max(width, height) }, (_, d) => Math.exp(-d * d / (2 * place * place)));
  // All pairs one step (dx, dy) apart; a function of its own, which browsers compile better than loops in loops.
  const addPairs = (dx, dy, across) => {
    const from = Math.max(0, -dx), to = Math.min(width, width - dx), onward = dy * width + dx;
    for (let y = 0; y + dy < height; y++) {
      for (let i = y * width + from; i < y * width + to; i++) {
        const j = i + onward, dr = r[i] - r[j], dg = g[i] - g[j], db = b[i] - b[j], d = dr * dr + dg * dg + db * db;
        if (d < limit) {
          const weight = across * near[d];
          sums[i] += weight;
          sums[j] += weight;
        }
      }
    }
  };
  for (let dy = 0; dy < height && apart[dy] > TINY; dy++) {
    for (let dx = dy ? 1 - width : 1; dx < width; dx++) {
      const across = apart[dy] * apart[Math.abs(dx)];
      if (across > TINY) addPairs(dx, dy, across);
    }
  }
  return sums;
}

class PairwiseLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    const board = (name, paint) => new PixelBoard(this.part(name), (context, size) => this.result && paint(context, size),
      (u, v, isMeant) => this.result && isMeant !== false && this.chooseAt(u, v), (dx, dy) => this.result && this.choose(this.column + dx, this.row + dy));
    this.boards = { photo: board("photo", (context, size) => this.paintPhoto(context, size)) };
    for (const name of KERNELS) this.boards[name] = board(name, (context, size) => this.paintKernel(name, context, size));
    this.sliders = ["bilateral_weight", "bilateral_sigma_xy", "bilateral_sigma_rgb", "spatial_weight", "spatial_sigma"];
    for (const name of this.sliders) this.part(name).addEventListener("input", () => this.change());
    this.part("reset").addEventListener("click", () => {
      for (const name of this.sliders) this.part(name).value = this.part(name).defaultValue;
      this.change();
    });
    this.part("network").addEventListener("change", () => this.result && this.request());
    this.part("labels").addEventListener("change", () => this.boards.photo.refresh());
    this.part("normalized").addEventListener("change", () => this.update());
    this.writeFields();
  }

  question() { return { network: this.part("network").value }; }

  writeFields() {
    for (const name of this.sliders) this.say(`${name}-value`, this.part(name).value);
  }

  async decode(value) {
    const [image, colours, beliefs, labels] = await Promise.all([loadImage(value.photo), unpack(value.colours), unpack(value.beliefs), unpack(value.labels)]);
    return { ...value, image, labels, width: colours.width, height: colours.height, colours: colours.values, beliefs: this.clipped(beliefs.values, colours.values.length, value) };
  }

  // As the CRF reads probabilities: none below the clip, summing to 1. Plane after plane.
  clipped(whole, count, { clip, names }) {
    const beliefs = Float64Array.from(whole, (level) => Math.max(level / 65535, clip));
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let at = i; at < names.length * count; at += count) sum += beliefs[at];
      for (let at = i; at < names.length * count; at += count) beliefs[at] /= sum;
    }
    return beliefs;
  }

  receive(result) {
    const isSamePhoto = this.result && this.result.photo === result.photo;
    this.result = result;
    this.tint = labelLayer(result.labels, (label) => (label ? pixelOf(result.palette[label], 80) : 0));
    this.outline = boundaryLayer(result.labels, pixelOf("#ffffff", 200));
    for (const board of Object.values(this.boards)) board.shape(result.width, result.height);
    if (!isSamePhoto) [this.row, this.column] = result.pixel;
    this.writeHint();
    this.change();
  }

  // --- the numbers ----------------------------------------------------------------------------

  // Widths are given in pixels at working size; the grid is coarser.
  get widths() {
    const { scale } = this.result;
    return { place: this.number("bilateral_sigma_xy") * scale, colour: this.number("bilateral_sigma_rgb"), spatial: this.number("spatial_sigma") * scale };
  }

  // A width or weight has changed: the picture follows at once, the sums over all pairs of pixels a moment later.
  change() {
    this.writeFields();
    if (!this.result) return;
    const { place, colour } = this.widths, key = `${place} ${colour}`;
    if (this.result.summed !== key) {
      this.result.summed = key;
      this.result.sums = null;
      clearTimeout(this.later);
      this.later = setTimeout(() => this.sumInBackground(place, colour), 60);
    }
    this.update();
  }

  sumInBackground(place, colour) {
    if (this.worker) this.worker.terminate();
    const { result } = this, { width, height, colours } = result, key = result.summed;
    const address = URL.createObjectURL(new Blob([`${sumRows}\nonmessage = (event) => postMessage(sumRows(event.data));`], { type: "text/javascript" }));
    this.worker = new Worker(address);
    this.worker.onmessage = ({ data }) => {
      URL.revokeObjectURL(address);
      if (this.result !== result || result.summed !== key) return;
      result.sums = data;
      this.update();
    };
    this.worker.postMessage({ width, height, colours, place, colour });
  }

  // Row sums of the spatial kernel, which is the product of one along x and one along y.
  spatialSums() {
    const { width, height } = this.result, { spatial } = this.widths;
    const line = (length) => Float64Array.from({ length }, (_, i) => { let sum = 0; for (let j = 0; j < length; j++) sum += Math.exp(-((i - j) ** 2) / (2 * spatial * spatial)); return sum; });
    const across = line(width), down = line(height);
    return Float64Array.from({ length: width * height }, (_, i) => across[i % width] * down[Math.floor(i / width)]);
  }

  // The two Gaussians of the chosen pixel to all others, in [0, 1].
  gaussians() {
    const { width, height, colours } = this.result, { place, colour, spatial } = this.widths, count = width * height;
    const own = colours[this.row * width + this.column], apart = (length, at, sigma) => Float64Array.from({ length }, (_, i) => Math.exp(-((i - at) ** 2) / (2 * sigma * sigma)));
    const xs = apart(width, this.column, place), ys = apart(height, this.row, place), sx = apart(width, this.column, spatial), sy = apart(height, this.row, spatial);
    const bilateral = new Float64Array(count), space = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const x = i % width, y = (i - x) / width, c = colours[i];
      const dr = (c >> 16) - (own >> 16), dg = ((c >> 8) & 255) - ((own >> 8) & 255), db = (c & 255) - (own & 255);
      bilateral[i] = xs[x] * ys[y] * Math.exp(-(dr * dr + dg * dg + db * db) / (2 * colour * colour));
      space[i] = sx[x] * sy[y];
    }
    return { bilateral, spatial: space };
  }

  // n_i n_j times the Gaussian: the kernel as the CRF uses it; null while the sums over all pixels are not there yet.
  normalized(kernel, sums) {
    if (!sums) return null;
    const own = sums[this.row * this.result.width + this.column];
    return kernel.map((value, j) => value / Math.sqrt(own * sums[j]));
  }

  // What the pixel hears for each label: sum_j k(i, j) Q_j(l).
  messages(kernel, weight) {
    const { beliefs, names } = this.result, count = kernel.length;
    return names.map((_, label) => {
      let sum = 0;
      for (let j = 0, at = label * count; j < count; j++, at++) sum += kernel[j] * beliefs[at];
      return weight * sum;
    });
  }

  update() {
    if (!this.result) return;
    const plain = this.gaussians(), weights = { bilateral: this.number("bilateral_weight"), spatial: this.number("spatial_weight") };
    const used = { bilateral: this.normalized(plain.bilateral, this.result.sums), spatial: this.normalized(plain.spatial, this.spatialSums()) };
    this.isReady = Boolean(used.bilateral);
    this.isNormalized = this.part("normalized").checked && this.isReady;
    const shown = this.isNormalized ? used : plain;
    this.kernels = { ...shown, both: shown.bilateral.map((value, j) => weights.bilateral * value + weights.spatial * shown.spatial[j]) };
    this.weights = weights;
    for (const name of KERNELS) this.makeLayer(name);
    this.heard = this.isReady && { bilateral: this.messages(used.bilateral, weights.bilateral), spatial: this.messages(used.spatial, weights.spatial) };
    if (this.heard) this.weigh();
    this.root.dataset.ready = this.isReady;
    this.describe();
    for (const board of Object.values(this.boards)) board.refresh();
  }

  // Belief before and after: p exp(message), normalized.
  weigh() {
    const { beliefs, names, colours } = this.result, i = this.row * this.result.width + this.column;
    this.before = names.map((_, label) => beliefs[label * colours.length + i]);
    const total = names.map((_, label) => this.heard.bilateral[label] + this.heard.spatial[label]), most = Math.max(...total);
    const raised = this.before.map((p, label) => p * Math.exp(total[label] - most)), sum = raised.reduce((a, b) => a + b, 0);
    this.after = raised.map((value) => value / sum);
  }

  chooseAt(u, v) { this.choose(Math.floor(u * this.result.width), Math.floor(v * this.result.height)); }

  choose(column, row) {
    const { width, height } = this.result;
    this.column = clamp(column, 0, width - 1);
    this.row = clamp(row, 0, height - 1);
    this.update();
  }

  // --- the pictures ---------------------------------------------------------------------------

  // The value painted brightest. Of both kernels: the most of the bilateral part, which the spatial one exceeds near the pixel.
  top(name) {
    const { bilateral, spatial } = this.kernels, most = (values) => values.reduce((a, b) => Math.max(a, b), 0);
    if (name !== "both") return most(this.kernels[name]);
    const part = this.weights.bilateral * most(bilateral);
    return (this.isNormalized && part) || most(this.kernels.both) || 1;
  }

  makeLayer(name) {
    const { width, height } = this.result, top = this.top(name) || 1, values = this.kernels[name];
    this.layers = this.layers || {};
    this.layers[name] = blankCanvas(width, height);
    paintPixels(this.layers[name], width, height, (i) => viridisPixels[Math.min(255, Math.round(255 * Math.sqrt(values[i] / top)))]);
    const exceeds = name === "both" && values.some((value) => value > 1.001 * top);
    const titles = { bilateral: "bilateral kernel", spatial: "spatial kernel", both: "both, weighted" };
    this.say(`${name}-note`, html("b", {}, titles[name]), html("span", { class: "cf-scale" }, "0 ", html("i", { class: "cl-scale" }), ` ${exceeds ? "≥ " : ""}${top.toPrecision(2)}`));
  }

  paintPhoto(context, size) {
    drawLayer(context, this.result.image, size, { isSmooth: true });
    if (this.part("labels").checked) for (const layer of [this.tint, this.outline]) drawLayer(context, layer, size);
    this.mark(context, size);
  }

  paintKernel(name, context, size) {
    drawLayer(context, this.layers[name], size);
    if (name === "spatial") this.paintInset(context, size);
    this.mark(context, size);
  }

  // The neighbourhood of the pixel, enlarged, in the corner farthest from it: the spatial kernel is but a dot.
  paintInset(context, size) {
    const { width, height } = this.result, side = 0.42 * Math.min(size.width, size.height), x = this.column > width / 2 ? 8 : size.width - side - 8, y = this.row > height / 2 ? 8 : size.height - side - 8;
    context.save();
    context.imageSmoothingEnabled = false;
    context.fillStyle = VIRIDIS[0];
    context.fillRect(x, y, side, side);
    context.drawImage(this.layers.spatial, this.column - INSET, this.row - INSET, 2 * INSET + 1, 2 * INSET + 1, x, y, side, side);
    Object.assign(context, { strokeStyle: "#fff", lineWidth: 2 });
    context.strokeRect(x, y, side, side);
    const cell = size.width / width;
    context.lineWidth = 1;
    context.strokeRect((this.column - INSET) * cell, (this.row - INSET) * cell, (2 * INSET + 1) * cell, (2 * INSET + 1) * cell);
    context.restore();
  }

  mark(context, size) {
    const { width, height } = this.result, x = (this.column + 0.5) / width * size.width, y = (this.row + 0.5) / height * size.height;
    for (const [colour, thickness] of [["#000", 4], ["#ff3b6b", 2.2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  // --- in words and bars ----------------------------------------------------------------------

  describe() {
    const { names, scale } = this.result, place = `x ${Math.round((this.column + 0.5) / scale - 0.5)}, y ${Math.round((this.row + 0.5) / scale - 0.5)}`;
    this.say("photo-note", html("b", {}, "the pixel that listens"), html("span", { class: "cf-scale" }, place));
    if (!this.heard) {
      if (this.told === this.result) return;  // what was said of other widths stays for the moment
      this.say("caption", "Summing over all pairs of pixels; until that is done the kernels are shown without normalization …");
      this.part("bars").replaceChildren();
      return;
    }
    this.told = this.result;
    const best = (values) => values.indexOf(Math.max(...values)), first = best(this.before), last = best(this.after);
    const sum = (label) => this.heard.bilateral[label] + this.heard.spatial[label], rival = last !== first ? first : best(this.after.map((q, label) => (label === last ? -1 : q)));
    const gain = sum(last) - sum(rival);
    this.say("caption", ...(last !== first
      ? ["The network says ", html("b", {}, `${names[first]} (${this.before[first].toFixed(2)})`), `. Those it listens to believe rather in ${names[last]}: the message for it is ${gain.toFixed(2)} nats stronger, and after one iteration the pixel says `, html("b", {}, `${names[last]} (${this.after[last].toFixed(2)})`), "."]
      : ["The network says ", html("b", {}, `${names[first]} (${this.before[first].toFixed(2)})`), `, and those it listens to ${gain >= 0 ? "agree" : "doubt it"}: the message for ${names[last]} is ${Math.abs(gain).toFixed(2)} nats ${gain >= 0 ? "stronger" : "weaker"} than that for ${names[rival]}. After one iteration: `, html("b", {}, `${names[last]} (${this.after[last].toFixed(2)})`), "."]));
    this.drawBars();
  }

  drawBars() {
    const { names, palette } = this.result, order = names.map((_, label) => label).sort((a, b) => Math.max(this.before[b], this.after[b]) - Math.max(this.before[a], this.after[a]));
    const shown = order.filter((label, k) => k < 2 || (k < 6 && Math.max(this.before[label], this.after[label]) > 0.005));
    const unary = (label) => -Math.log(this.before[label]), heard = (label) => this.heard.bilateral[label] + this.heard.spatial[label];
    const most = Math.max(...shown.map((label) => Math.max(unary(label), heard(label))), 0.1);
    const bar = (parts, text) => html("div", { class: "cf-bar", role: "cell" }, html("span", { class: "cf-track" }, ...parts.map(([part, kind]) => html("i", { class: `cf-${kind}`, style: `width:${(100 * part).toFixed(2)}%` }))), html("output", {}, text));
    const head = ["label", "unary −ln p, in nats", "message Σ k Q(l):", "belief p, before", "belief ∝ p exp(message)"].map((text) => html("div", { class: "cf-head", role: "columnheader" }, text));
    head[2].append(" ", html("b", { class: "cf-b" }, "bilateral"), " + ", html("b", { class: "cf-s" }, "spatial"));
    const rows = shown.map((label) => html("div", { class: "cf-row", role: "row" },
      html("div", { class: "cf-label", role: "rowheader" }, html("i", { style: `background:${palette[label]}` }), names[label]),
      bar([[unary(label) / most, "of-u"]], unary(label).toFixed(2)),
      bar([[this.heard.bilateral[label] / most, "of-b"], [this.heard.spatial[label] / most, "of-s"]], heard(label).toFixed(2)),
      bar([[this.before[label], "of-q"]], this.before[label].toFixed(3)), bar([[this.after[label], "of-q"]], this.after[label].toFixed(3))));
    this.part("bars").replaceChildren(html("div", { class: "cf-row cf-heads", role: "row" }, ...head), ...rows);
  }

  writeHint() {
    const { width, height, scale } = this.result;
    this.say("hint", `Drag, or move the pixel with the arrow keys (Shift: ten at a time). Both kernels are exact here, on a grid of ${width} × ${height} pixels (the CRF itself sums them on a lattice, within a few per cent); σ`, html("sub", {}, "xy"), " and σ", html("sub", {}, "s"),
      ` are in pixels at working size and shrink by ${scale.toFixed(2)} with it. The CRF normalizes each kernel symmetrically, k(i, j) / √(Σ k(i, ·) Σ k(j, ·)), so that a pixel in a crowd of its like is not shouted at; messages are always of that kernel, and a pixel hears itself too. Colours follow the square root of the weight, so that faint ones show.`);
  }
}
