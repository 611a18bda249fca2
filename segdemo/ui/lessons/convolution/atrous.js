// Atrous convolution: the field of three layers on a line and in the plane, and a kernel on the photo at two rates.

const LINE = 27, MIDDLE = 13;  // units of a line: with rates up to 4 the field of the middle one fits
const TRIPLES = [[1, 1, 1], [1, 2, 4], [2, 2, 2]];
const COLD = [37, 99, 235], WARM = [217, 72, 15];

// On a line: the places that the taps of a layer of `rate` read for units at `places`.
const tapsOf = (places, rate) => [...new Set(places.flatMap((at) => [at - rate, at, at + rate]))].sort((a, b) => a - b);

// In how many ways each of 2 n + 1 places leads to the unit in the middle through layers of these rates.
function ways(rates, n) {
  let counts = Array.from({ length: 2 * n + 1 }, (_, i) => (i === n ? 1 : 0));
  for (const rate of rates) counts = counts.map((count, i) => count + (counts[i - rate] || 0) + (counts[i + rate] || 0));
  return counts;
}

// White at 0, blue below, red above; small values are brought out.
function tint(part) {
  const strength = Math.abs(part) ** 0.6, end = part < 0 ? COLD : WARM;
  const [r, g, b] = end.map((channel) => Math.round(255 + (channel - 255) * strength));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}
const signed = (value) => value.toFixed(3).replace(/^-(?=[0.]*$)/, "").replace("-", "−");  // no minus before 0.000
const every = (rate) => (rate === 2 ? "every 2nd pixel" : `every ${rate}th pixel`);
const grey = (level) => ((255 << 24) | (level * 0x010101)) >>> 0;

class AtrousLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    Object.assign(this, { rates: [1, 2, 4], unit: MIDDLE, read: null, place: [0.5, 0.5] });
    this.rates.forEach((_, layer) => {
      const select = this.part(`rate-${layer}`);
      select.replaceChildren(...[1, 2, 3, 4].map((rate) => html("option", { value: rate }, `rate ${rate}`)));
      select.addEventListener("change", () => this.setRates(this.rates.map((_, k) => this.number(`rate-${k}`))));
    });
    this.part("presets").replaceChildren(...TRIPLES.map((rates) => {
      const button = html("button", { type: "button" }, rates.join(", "));
      button.addEventListener("click", () => this.setRates(rates));
      return button;
    }));
    this.field = new Board(this.part("field"), (context, size) => this.paintField(context, size), (u, v) => this.readField(u, v));
    this.part("field").addEventListener("pointerleave", (event) => {
      if (event.pointerType === "touch") return;  // a finger that lifts: what it tapped stays
      this.read = null;
      this.sayField();
    });
    this.part("layers").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.choose(this.unit + step, event);
    });
    this.part("layers").addEventListener("pointermove", (event) => this.pointAt(event));
    this.part("layers").addEventListener("pointerdown", (event) => this.pointAt(event));
    new ResizeObserver(() => this.drawLayers()).observe(this.part("layers"));
    this.boards = ["photo", "plain", "sparse", "dense"].map((name) => this.makePicture(name));
    for (const name of ["kernel", "rate"]) this.part(name).addEventListener("change", () => this.result && this.request());
    this.setRates([1, 2, 4]);
  }

  // --- three layers ---------------------------------------------------------------------------

  setRates(rates) {
    Object.assign(this, { rates, read: null, unit: MIDDLE });
    rates.forEach((rate, layer) => { this.part(`rate-${layer}`).value = rate; });
    [...this.part("presets").children].forEach((button, k) => button.setAttribute("aria-pressed", String(TRIPLES[k].join() === rates.join())));
    this.reach = rates.reduce((sum, rate) => sum + rate, 0);
    this.line = ways([...rates].reverse(), this.reach);
    this.drawLayers();
    this.sayField();
    this.field.refresh();
  }

  // Fields after one, two, three layers: 1 + 2 times the sum of the rates so far.
  fields() { return this.rates.map((_, layer) => 1 + 2 * this.rates.slice(0, layer + 1).reduce((sum, rate) => sum + rate, 0)); }

  sayField() {
    const sides = this.fields(), side = sides.at(-1), seen = this.line.filter((count) => count > 0).length ** 2;
    const holes = seen === side * side ? `All ${seen} pixels of it count.` : `Only ${seen} of its ${side * side} pixels count: with these rates the grid has holes ("gridding").`;
    const text = this.read ? [html("b", {}, `This pixel: ${plural(this.read, "way")} lead${this.read === 1 ? "s" : ""} from it to the unit. `)] : this.read === 0 ? [html("b", {}, "This pixel does not count: no tap falls on it. ")] : [];
    this.say("field-caption", ...text, `Fields: ${sides.map((s) => `${s} × ${s}`).join(", then ")} = 1 + 2 (${this.rates.join(" + ")}) pixels across. ${holes} Weights: 3 · 9 = 27 for each pair of channels, whatever the rates${side > 7 ? "; with rates 1, 1, 1 they see 7 × 7" : ""}.`);
  }

  pointAt(event) {
    const box = this.part("layers").getBoundingClientRect();
    this.choose(Math.floor((event.clientX - box.left) / box.width * LINE));
  }

  choose(unit, event = null) {
    if (event) event.preventDefault();
    if (clamp(unit, 0, LINE - 1) === this.unit) return;
    this.unit = clamp(unit, 0, LINE - 1);
    this.drawLayers();
  }

  drawLayers() {
    const canvas = this.part("layers"), width = canvas.clientWidth, height = 380;
    if (!width) return;
    const x = (i) => (i + 0.5) * width / LINE, y = (level) => height - 24 - level * 104, r = clamp(width / LINE * 0.3, 2.5, 8);
    const levels = [[this.unit]];  // from the top down, what each level is read at
    for (const rate of [...this.rates].reverse()) levels.push(tapsOf(levels.at(-1), rate).filter((at) => at >= 0 && at < LINE));
    const read = [...levels].reverse(), parts = [];
    this.rates.forEach((rate, layer) => {
      for (const at of read[layer + 1]) for (const to of [at - rate, at, at + rate].filter((k) => k >= 0 && k < LINE)) parts.push(svg("line", { class: "cv-tap", x1: x(at), y1: y(layer + 1), x2: x(to), y2: y(layer) }));
    });
    read.forEach((places, level) => {
      for (let i = 0; i < LINE; i++) parts.push(svg("circle", { class: places.includes(i) ? "cv-read" : "cv-unit", cx: x(i), cy: y(level), r }));
      parts.push(svg("text", { x: 2, y: y(level) - 13 }, level ? `layer ${level}, rate ${this.rates[level - 1]}` : "pixels"));
    });
    canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
    canvas.style.height = `${height}px`;
    canvas.replaceChildren(...parts);
  }

  // The pixel of the field at (u, v), as steps from its middle.
  at(u, v) { return [u, v].map((part) => Math.floor(part * (2 * this.reach + 3)) - this.reach - 1); }

  readField(u, v) {
    const [dx, dy] = this.at(u, v), count = (d) => this.line[d + this.reach] || 0;
    this.read = Math.max(Math.abs(dx), Math.abs(dy)) > this.reach ? null : count(dx) * count(dy);
    this.sayField();
  }

  paintField(context, { width, height }) {
    const cells = 2 * this.reach + 3, side = width / cells, ink = themed(this.root, "--accent"), line = themed(this.root, "--ink");
    const most = Math.log1p(Math.max(...this.line) ** 2);
    for (let row = 0; row < cells; row++) {
      for (let column = 0; column < cells; column++) {
        const count = (this.line[row - 1] || 0) * (this.line[column - 1] || 0);
        Object.assign(context, { fillStyle: ink, globalAlpha: count ? 0.18 + 0.82 * Math.log1p(count) / most : 0.04 });
        context.fillRect(column * side + 0.5, row * height / cells + 0.5, side - 1, height / cells - 1);
      }
    }
    Object.assign(context, { globalAlpha: 1, strokeStyle: line, lineWidth: 2 });
    for (const field of this.fields()) context.strokeRect((cells - field) / 2 * side, (cells - field) / 2 * side, field * side, field * side);
  }

  // --- a kernel on the photo ------------------------------------------------------------------

  question() { return { kernel: this.part("kernel").value, rate: this.number("rate") }; }

  makePicture(name) {
    const canvas = html("canvas", { class: "cl-picture cl-pick cv-pixels", role: "application", "data-testid": `atrous-${name}`, "aria-label": `${name}; arrow keys move the kernel` });
    const title = html("figcaption");
    this.part("pictures").append(html("figure", {}, canvas, title));
    const board = new PixelBoard(canvas, (context, size) => this.result && this.paintPicture(name, context, size), (u, v, isMeant) => isMeant !== false && this.move(u, v), (dx, dy) => this.step(dx, dy));
    return { name, board, title };
  }

  async decode(value) {
    const [image, plain, sparse, dense] = await Promise.all([value.image, value.plain, value.sparse, value.dense].map(unpack));
    return { ...value, maps: { image, plain, sparse, dense } };
  }

  receive(result) {
    this.result = result;
    const { maps: { image, plain, sparse, dense }, levels, rate } = result;
    this.layers = { photo: labelLayer(image, (level) => grey(Math.round(255 * level / levels))) };
    for (const [name, map] of Object.entries({ plain, sparse, dense })) this.layers[name] = labelLayer(map, (level) => tint(2 * level / levels - 1));
    const many = (map) => plural(map.values.length, "answer"), texts = {
      photo: ["the photo, smoothed", `taps at rate 1 and ${rate}`], plain: ["rate 1", "field 3 × 3"],
      sparse: [`${every(rate)}, then 3 × 3`, many(sparse)], dense: [`atrous, rate ${rate}`, many(dense)],
    };
    for (const { name, board, title } of this.boards) {
      title.replaceChildren(html("b", {}, texts[name][0]), html("span", {}, texts[name][1]));
      board.shape(image.width, image.height);
    }
    this.gap = sparse.values.reduce((most, level, i) => Math.max(most, Math.abs(level - dense.values[rate * (Math.floor(i / sparse.width) * image.width + i % sparse.width)])), 0) / levels * 2 * result.top;
    this.move(...this.place);
  }

  step(dx, dy) {
    if (!this.result) return;
    const { width, height } = this.result.maps.image;
    this.move((this.pixel[0] + dx + 0.5) / width, (this.pixel[1] + dy + 0.5) / height);
  }

  move(u, v) {
    if (!this.result) return;
    const { maps: { image, sparse }, rate } = this.result;
    this.place = [clamp(u, 0, 0.9999), clamp(v, 0, 0.9999)];
    this.pixel = [Math.floor(this.place[0] * image.width), Math.floor(this.place[1] * image.height)];
    const [x, y] = this.pixel, near = [clamp(Math.round(x / rate), 0, sparse.width - 1), clamp(Math.round(y / rate), 0, sparse.height - 1)];
    this.near = near;
    const text = (name, [column, row]) => signed(this.response(name, column, row));
    this.say("caption", html("b", {}, `Pixel ${x}, ${y}: `), `rate 1 gives ${text("plain", [x, y])}, atrous at rate ${rate} gives ${text("dense", [x, y])}; the sparse answer nearest to it is ${text("sparse", near)}. `
      + `Where there are both (${plural(sparse.values.length, "pixel")}), sparse and dense ${this.gap ? `differ by ${this.gap.toFixed(4)} at most` : "are the same numbers"}. ` + `Colours: red above 0, blue below, white 0, full at ±${this.result.top.toFixed(2)}; small values are brought out.`);
    this.showTaps(x, y, rate);
    for (const { board } of this.boards) board.refresh();
  }

  response(name, column, row) {
    const { maps, levels, top } = this.result, map = maps[name];
    return (2 * map.values[row * map.width + column] / levels - 1) * top;
  }

  // The nine products of which the dense answer is the sum; beyond the border the last pixel counts again.
  showTaps(x, y, rate) {
    const { maps: { image }, weights, levels } = this.result, minus = (value) => String(value).replace("-", "−");
    const rows = weights.map((row, j) => html("tr", {}, ...row.map((weight, i) => {
      const at = clamp(y + (j - 1) * rate, 0, image.height - 1) * image.width + clamp(x + (i - 1) * rate, 0, image.width - 1), value = image.values[at] / levels;
      return html("td", { class: weight ? "" : "cv-none" }, html("b", {}, value.toFixed(2)), ` · ${minus(weight)}`);
    })));
    this.part("taps").replaceChildren(html("table", {}, html("caption", {}, `grey value · weight, at rate ${rate}; sum ${signed(this.response("dense", x, y))}`), ...rows));
  }

  paintPicture(name, context, size) {
    const { maps: { image }, rate } = this.result, side = size.width / image.width, [x, y] = this.pixel.map((at) => (at + 0.5) * side);
    if (name === "sparse") this.paintSparse(context, side);
    else drawLayer(context, this.layers[name], size);
    const spread = (step, colour, r) => {
      for (let j = -1; j <= 1; j++) for (let i = -1; i <= 1; i++) {
        context.beginPath();
        context.arc(x + i * step * side, y + j * step * side, r, 0, 7);
        Object.assign(context, { fillStyle: colour, strokeStyle: "#fff", lineWidth: 1 });
        context.fill();
        if (r > 2.4) context.stroke();
      }
    };
    if (name === "dense" || name === "photo") spread(rate, "#d9480f", clamp(rate * side * 0.32, 0.8, 4));
    if (name === "plain" || name === "photo") spread(1, "#111827", clamp(side * 0.3, 0.6, 1.4));
  }

  // Each answer as a square around its own pixel, every rate-th of the photo; framed: the nine that the nearest one is made of.
  paintSparse(context, side) {
    const { maps: { sparse }, rate } = this.result, cell = rate * side, start = 0.5 * side - cell / 2;
    context.save();
    context.translate(start, start);
    drawLayer(context, this.layers.sparse, { width: sparse.width * cell, height: sparse.height * cell });
    Object.assign(context, { strokeStyle: "#111827", lineWidth: 2 });
    context.strokeRect((this.near[0] - 1) * cell, (this.near[1] - 1) * cell, 3 * cell, 3 * cell);
    context.restore();
  }
}
