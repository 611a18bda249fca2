// HMM against linear-chain CRF: a line of the photo, marginals and best path of both, and all lines together.

const MODELS = [
  { title: "Hidden Markov model", z: "ln p(X)", matrix: "p(yₙ | yₙ₋₁), counted, each count plus 1" },
  { title: "Linear-chain CRF", z: "ln Z(X)", matrix: "scores a(yₙ₋₁, yₙ), trained" },
];
const minus = (text) => text.replace("-", "−");
const NOBODY = "#ffffff";  // no label, or none of those that take part

class ScanlineLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    this.row = null;
    this.pictures = ["the photo", "learned from", "HMM", "CRF", "dense CRF"].map((title, k) => this.makePicture(title, k));
    this.columns = MODELS.map((model, k) => this.makeColumn(model, k));
    this.part("row").addEventListener("input", () => this.choose(this.number("row")));
    this.part("paint").addEventListener("change", () => this.paintLines());
    this.part("network").addEventListener("change", () => this.result && this.request());
  }

  question() { return { network: this.part("network").value }; }

  makePicture(title, k) {
    const canvas = html("canvas", { class: "cl-picture cl-pick", role: "application", "aria-label": `${title}; arrow keys move the line`, "data-testid": `scanline-picture-${k}` });
    const note = html("span", { class: "cf-scale" });
    this.part("pictures").append(html("figure", {}, canvas, html("figcaption", {}, html("b", {}, title), note)));
    const board = new PixelBoard(canvas, (context, size) => this.result && this.paintPicture(k, context, size),
      (u, v, isMeant) => this.result && isMeant !== false && this.choose(Math.floor(v * this.result.height)), (dx, dy) => this.result && this.choose(this.row + dx + dy));
    return { board, note };
  }

  makeColumn({ title }, k) {
    const strip = (name, height, paint) => {
      const canvas = html("canvas", { class: "cf-strip-canvas", style: `height:${height}px`, role: "img", "aria-label": `${name} of the line, ${title}` });
      return { nodes: [html("span", { class: "cf-strip-name" }, name), canvas], board: new Board(canvas, (context, size) => this.result && paint(context, size), name.startsWith("marg") ? (u) => this.read(k, u) : null) };
    };
    const strips = [
      strip("pixels", 20, (context, size) => this.paintStrip(context, size, (x) => this.pixel(x))),
      strip("learned from", 20, (context, size) => this.paintStrip(context, size, (x) => this.colourAt(this.result.given, x))),
      strip("marginals", 120, (context, size) => this.paintBands(context, size, this.result.models[k].marginals)),
      strip("best path", 26, (context, size) => this.paintPath(context, size, this.result.models[k])),
    ];
    const facts = html("p", { class: "cf-facts" }), table = html("div", { class: "cl-scroll" });
    this.part("models").append(html("section", { class: "cl-stack", "data-testid": `scanline-model-${k}` }, html("h4", {}, title), html("div", { class: "cf-lines" }, ...strips.flatMap(({ nodes }) => nodes)), facts, table));
    return { boards: strips.map(({ board }) => board), facts, table };
  }

  async decode(value) {
    const [image, colours, given, grid] = await Promise.all([loadImage(value.photo), unpack(value.colours), unpack(value.given), unpack(value.grid)]);
    const models = await Promise.all(value.models.map(async (model) => ({ ...model, labels: await unpack(model.labels), likeliest: await unpack(model.likeliest), marginals: await unpack(model.marginals) })));
    return { ...value, image, given, grid, models, width: colours.width, height: colours.height, colours: colours.values };
  }

  receive(result) {
    const isSame = this.result && this.result.photo === result.photo;
    this.result = result;
    for (const { board } of this.pictures) board.shape(result.width, result.height);
    this.paintLines();
    this.part("keys").replaceChildren(...result.names.map((name, k) => html("span", {}, html("i", { style: `background:${result.palette[k]}` }), name)),
      html("span", {}, html("i", { style: `background:${NOBODY}` }), "none of these"));
    this.columns.forEach(({ table }, k) => table.replaceChildren(this.matrix(k)));
    this.part("row").max = result.height - 1;
    this.telling = this.tellingRow();
    this.choose(isSame ? this.row : this.telling < 0 ? Math.floor(result.height / 2) : this.telling);
  }

  // Best paths or largest marginals of all lines, as pictures, and how far each is like what was learned from.
  paintLines() {
    if (!this.result) return;
    const { palette, image, given, grid, models } = this.result, isPath = this.part("paint").value === "path";
    const inks = [NOBODY, ...palette].map((hex) => pixelOf(hex, 255)), shown = models.map((model) => (isPath ? model.labels : model.likeliest));
    this.layers = [image, ...[given, ...shown, grid].map((labels) => labelLayer(labels, (label) => inks[label]))];
    const known = given.values.reduce((count, label) => count + (label ? 1 : 0), 0);
    const alike = ({ values }) => `${percent(given.values.reduce((count, label, i) => count + (label && label === values[i] ? 1 : 0), 0) / known)} as learned`;
    ["", "", ...shown.map(alike), alike(grid)].forEach((text, k) => {
      this.pictures[k].note.textContent = text;
      this.pictures[k].board.refresh();
    });
  }

  // The line on which the largest marginals of both models disagree most; -1 where they agree everywhere.
  tellingRow() {
    const { width, height, models: [hmm, crf] } = this.result;
    let best = -1, most = 0;
    for (let y = 0; y < height; y++) {
      let count = 0;
      for (let i = y * width; i < (y + 1) * width; i++) count += hmm.likeliest.values[i] !== crf.likeliest.values[i] ? 1 : 0;
      if (count > most) [best, most] = [y, count];
    }
    return best;
  }

  choose(row) {
    if (!this.result) return;
    this.row = clamp(row, 0, this.result.height - 1);
    this.part("row").value = this.row;
    this.say("row-value", `${this.row + 1} of ${this.result.height}${this.row === this.telling ? ", where the two disagree most" : ""}`);
    for (const { board } of this.pictures) board.refresh();
    this.columns.forEach((column, k) => {
      for (const board of column.boards) board.refresh();
      column.facts.replaceChildren(...this.describe(k));
    });
  }

  describe(k) {
    const { width, models, given } = this.result, model = models[k], path = model.labels.values.subarray(this.row * width, (this.row + 1) * width);
    const switches = path.reduce((count, label, x) => count + (x && label !== path[x - 1] ? 1 : 0), 0);
    const taught = given.values.subarray(this.row * width, (this.row + 1) * width), known = taught.reduce((count, label) => count + (label ? 1 : 0), 0);
    const alone = path.reduce((count, label, x) => count + (label !== model.likeliest.values[this.row * width + x] ? 1 : 0), 0);
    const right = path.reduce((count, label, x) => count + (taught[x] && taught[x] === label ? 1 : 0), 0);
    return [`${MODELS[k].z} = `, html("b", {}, minus(model.log_z[this.row].toLocaleString("en", { maximumFractionDigits: 1 }))), `, ${switches === 1 ? "1 switch" : `${switches} switches`} on the best path`,
      known ? `, ${percent(right / known)} of the line as learned` : "", alone ? `; at ${plural(alone, "pixel")}, marked black, not the label of the largest marginal` : "; everywhere the label of the largest marginal", ...(model.contrast === null ? [] : [`; b = ${minus(model.contrast.toFixed(2))} for switching between equal neighbours`]), "."];
  }

  // --- what is on the line --------------------------------------------------------------------

  pixel(x) { return `#${this.result.colours[this.row * this.result.width + x].toString(16).padStart(6, "0")}`; }
  labelAt(labels, x) { return labels.values[this.row * this.result.width + x]; }
  colourAt(labels, x) { return [NOBODY, ...this.result.palette][this.labelAt(labels, x)]; }
  marginal(plane, label, x) { const { width, height } = this.result; return plane.values[(label * height + this.row) * width + x] / 255; }

  read(k, u) {
    const { width, names, models } = this.result, x = Math.floor(u * width);
    const chances = names.map((name, label) => [this.marginal(models[k].marginals, label, x), name]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    this.columns[k].facts.replaceChildren(html("b", {}, `Pixel ${x + 1} of the line: `), chances.map(([p, name]) => `${name} ${p.toFixed(2)}`).join(", "));
  }

  paintStrip(context, { width, height }, colour) {
    const count = this.result.width;
    for (let x = 0; x < count; x++) {
      const left = Math.round(x / count * width);
      context.fillStyle = colour(x);
      context.fillRect(left, 0, Math.round((x + 1) / count * width) - left, height);
    }
  }

  // Between marginals and path a black mark wherever the path's label is not the one of the largest marginal.
  paintPath(context, size, { labels, likeliest }) {
    this.paintStrip(context, size, (x) => this.colourAt(labels, x));
    this.paintStrip(context, { ...size, height: 6 }, (x) => (this.labelAt(labels, x) === this.labelAt(likeliest, x) ? "#fff" : "#000"));
  }

  // Marginals as bands stacked to 1.
  paintBands(context, { width, height }, plane) {
    const { width: count, palette } = this.result;
    for (let x = 0; x < count; x++) {
      const left = Math.round(x / count * width), wide = Math.round((x + 1) / count * width) - left;
      let above = 0;
      palette.forEach((hex, label) => {
        const part = this.marginal(plane, label, x);
        context.fillStyle = hex;
        context.fillRect(left, above * height, wide, part * height + 0.6);
        above += part;
      });
    }
    Object.assign(context, { strokeStyle: "rgba(255,255,255,.55)", lineWidth: 1 });
    context.beginPath();
    context.moveTo(0, height / 2);
    context.lineTo(width, height / 2);
    context.stroke();
  }

  paintPicture(k, context, size) {
    drawLayer(context, this.layers[k], size, { isSmooth: k === 0 });
    const y = (this.row + 0.5) / this.result.height * size.height;
    for (const [colour, thickness] of [["#000", 4], ["#ffdc00", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(size.width, y);
      context.stroke();
    }
  }

  // The transition matrix, shaded by value; the HMM's with how each label looks to it.
  matrix(k) {
    const { names, palette, looks, models } = this.result, values = models[k].transition, flat = values.flat(), low = Math.min(...flat), span = Math.max(...flat) - low || 1;
    const label = (at) => html("span", { class: "cf-name" }, html("i", { style: `background:${palette[at]}` }), names[at]);
    const cell = (value) => html("td", { style: `background:color-mix(in srgb, var(--accent) ${Math.round(45 * (value - low) / span)}%, transparent)` }, k ? minus(value.toFixed(2)) : value.toPrecision(3));
    const head = html("tr", {}, html("th", {}, "before ↓ after →"), ...names.map((_, at) => html("th", {}, label(at))));
    if (!k) head.append(html("th", {}, "mean of p(x | y)"));
    const rows = values.map((row, at) => {
      const line = html("tr", {}, html("th", {}, label(at)), ...row.map(cell));
      if (!k) line.append(html("td", { class: "cf-look" }, html("i", { style: `background:${looks[at]}` })));
      return line;
    });
    return html("table", { class: "cf-matrix" }, html("caption", {}, MODELS[k].matrix), head, ...rows);
  }
}
