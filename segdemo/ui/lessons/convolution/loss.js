// Softmax and cross-entropy of every pixel: the loss as a map, the push on each score, and one pixel that learns.

const VOID = 255, NO_CLASS = "#808080", DEAREST = 4;  // nats, at the end of the colour scale

// Three digits, more where it is so near 1 that these would say 1: what is written has the logarithm beside it.
const probability = (p) => (p < 1e-6 ? precise(p, 2) : p > 0.9995 ? p.toFixed(Math.min(9, 1 + Math.ceil(-Math.log10(1 - p)))) : p.toPrecision(3));

class LossLesson extends PixelLesson {
  constructor(root, ask) {
    super(root, ask);
    const board = (name, paint) => this.pixelBoard(this.part(name), paint);
    const overPhoto = (layer) => (context, size) => {
      drawLayer(context, this.result.image, size, { isSmooth: true });
      drawLayer(context, this.layers[layer], size);
    };
    this.boards = [
      board("labels", overPhoto("labels")), board("true", overPhoto("truth")),
      board("map", (context, size) => drawLayer(context, this.layers.loss, size)), board("push", (context, size) => drawLayer(context, this.layers.push, size)),
    ];
    for (const name of ["network", "truth"]) this.part(name).addEventListener("change", () => this.result && this.request());
    this.part("class").addEventListener("change", () => this.choose(this.number("class")));
    this.part("wanted").addEventListener("change", () => this.want(this.number("wanted")));
    this.part("learn").addEventListener("click", () => this.learn());
    this.part("forget").addEventListener("click", () => this.want(this.wanted));
    window.addEventListener("segdemo-truth", () => { if (root.isConnected && this.result && this.result.isPerson) this.part("stale").hidden = false; });
    new ResizeObserver(() => this.result && this.drawCurve()).observe(this.part("curve"));
  }

  question() { return { network: this.part("network").value, truth: this.part("truth").value }; }

  async decode(value) {
    const [image, scores, labels, truth] = await Promise.all([loadImage(value.photo), unpack(value.scores), unpack(value.labels), unpack(value.truth)]);
    return { ...value, image, scores: scores.values, labels, truth, width: labels.width, height: labels.height };
  }

  receive(result) {
    const old = this.result && this.result.photo === result.photo ? this.result.classes[this.chosen] : undefined, isNew = old === undefined;
    this.result = result;
    const { classes, names, palette, width, height } = result, options = () => classes.map((label, k) => html("option", { value: k }, names[label]));
    for (const select of [this.part("class"), this.part("wanted")]) select.replaceChildren(...options());
    const inks = palette.map((hex, label) => (label ? pixelOf(hex, SHADE) : 0));
    inks[VOID] = pixelOf(NO_CLASS, 255);
    const layer = (labels) => labelLayer(labels, (label) => inks[label]);
    const values = Float32Array.from(result.truth.values, (label, at) => (label === VOID ? 0 : this.lossAt(at, classes.indexOf(label))));
    this.losses = values;
    this.layers = {
      labels: layer(result.labels), truth: layer(result.truth),
      loss: labelLayer({ width, height, values }, (loss) => viridisPixels[Math.round(255 * clamp(loss / DEAREST, 0, 1))]),
    };
    this.say("true-name", result.isPerson ? "the ground truth" : "taken for the truth");
    const isSeen = (label) => result.labels.values.includes(label) || result.truth.values.includes(label);
    this.nameColours(classes.filter(isSeen));
    if (result.truth.values.includes(VOID)) this.part("keys").append(html("span", {}, html("i", { style: `background:${NO_CLASS}` }), "does not count"));
    for (const board of this.boards) board.shape(width, height);
    if (isNew) this.place = this.dearest();
    this.choose(classes.includes(old) ? classes.indexOf(old) : this.largest());
    this.describe();
    this.read();
  }

  // --- softmax, loss and push, as in the formulas ---------------------------------------------

  // The classes' scores at a pixel, then that of all others together.
  scoresAt(at) {
    const { scores, levels, range: [low, high], classes, width, height } = this.result;
    return Array.from({ length: classes.length + 1 }, (_, k) => low + (high - low) * scores[k * width * height + at] / levels);
  }

  softmax(scores) {
    const top = Math.max(...scores), powers = scores.map((score) => Math.exp(score - top)), sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  }

  lossAt(at, wanted) {
    const scores = this.scoresAt(at), top = Math.max(...scores);
    return top + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0)) - scores[wanted];
  }

  // --- maps -----------------------------------------------------------------------------------

  // Where the loss is high, but not at the photo's rim: the first pixel to look at.
  dearest() {
    const { width, height } = this.result;
    let best = -1, at = 0;
    for (let y = Math.floor(height / 8); y < height * 7 / 8; y++) for (let x = Math.floor(width / 8); x < width * 7 / 8; x++) if (this.losses[y * width + x] > best) [best, at] = [this.losses[y * width + x], y * width + x];
    return [(at % width + 0.5) / width, (Math.floor(at / width) + 0.5) / height];
  }

  // Of the classes besides background the one that covers most of the truth; background if it is alone.
  largest() {
    const { truth, classes } = this.result, areas = classes.map(() => 0);
    for (const label of truth.values) if (label && label !== VOID) areas[classes.indexOf(label)] += 1;
    return areas.indexOf(Math.max(...areas));
  }

  choose(chosen) {
    this.chosen = chosen;
    this.part("class").value = chosen;
    const { truth, classes, width, height } = this.result;
    const values = Float32Array.from(truth.values, (label, at) => (label === VOID ? 0 : (label === classes[chosen] ? 1 : 0) - this.softmax(this.scoresAt(at))[chosen]));
    this.layers.push = labelLayer({ width, height, values }, tint);
    for (const board of this.boards) board.refresh();
  }

  describe() {
    const { mean, near: [nearArea, nearLoss], wrong: [wrongArea, wrongLoss], truth } = this.result, counted = truth.values.includes(VOID) ? "pixels that count" : "pixels";
    const border = nearArea ? ` ${percent(nearArea)} lie near an outline of the truth and bear ${percent(nearLoss)}.` : "";
    const errors = wrongArea ? ` ${percent(wrongArea)} of the ${counted} have another label than the true one and bear ${percent(wrongLoss)} of the loss.` : ` All ${counted} have the true label.`;
    this.say("caption", html("b", {}, `Mean loss ${mean.toFixed(3)} nats. `), `Were all 21 classes alike to it everywhere, it would be ln 21 = 3.04.${errors}${border} All count the same: a thing on 1 % of the ${counted} has 1 % of the say.`);
  }

  // Hovering would take back what the pixel has learned.
  point(u, v, isMeant) { if (isMeant !== false) this.move(u, v); }

  // --- one pixel ------------------------------------------------------------------------------

  read() {
    const [x, y] = this.pixel();
    this.at = y * this.result.width + x;
    const known = this.result.classes.indexOf(this.result.truth.values[this.at]);
    this.want(Math.max(known, 0));
    for (const board of this.boards) board.refresh();
  }

  want(wanted) {
    Object.assign(this, { wanted, steps: 0, learned: this.scoresAt(this.at) });
    this.part("wanted").value = wanted;
    this.tellPixel();
  }

  learn() {
    const p = this.softmax(this.learned);
    this.learned = this.learned.map((score, k) => score + (k === this.wanted ? 1 : 0) - p[k]);
    this.steps += 1;
    this.tellPixel();
  }

  tellPixel() {
    const { classes, names, palette, truth } = this.result, p = this.softmax(this.learned);
    const bar = (part, name) => html("span", { class: "cv-track cv-slim" }, html("i", { class: name, style: `width:${(100 * Math.abs(part)).toFixed(1)}%` }));
    const rows = p.slice(0, classes.length < 21 ? undefined : 21).map((part, k) => {
      const isTrue = k === this.wanted, push = (isTrue ? 1 : 0) - part, label = classes[k];
      const title = k < classes.length ? [swatch(palette, label), names[label]] : [`${21 - classes.length} others, together`];
      return html("tr", { class: isTrue ? "cv-true" : "" }, html("th", { scope: "row" }, html("span", { class: "cv-name" }, ...title)), html("td", {}, hundredths(this.learned[k])), html("td", {}, percent(part)), html("td", {}, bar(part, "cv-full")),
        html("td", {}, isTrue ? "1" : "0"), html("td", {}, html("b", { class: push < 0 ? "cv-cold" : "cv-warm" }, `${push > 0 ? "+" : ""}${hundredths(push)}`)));
    });
    this.part("table").replaceChildren(html("table", { class: "cv-table cv-pixel" }, html("thead", {}, html("tr", {}, ...["class", "score z", "softmax p", "", "truth", "push"].map((text) => html("th", {}, text)))), html("tbody", {}, ...rows)));
    const loss = -Math.log(p[this.wanted]), label = truth.values[this.at], isVoid = label === VOID, name = names[classes[this.wanted]];
    const after = this.steps ? ` after ${plural(this.steps, "step")}` : "", said = isVoid ? "This pixel does not count in training. " : classes[this.wanted] === label ? "" : `The truth says ${names[label]} here; if it were ${name}: `;
    this.say("told", html("b", {}, `${said}ℓ = −ln ${probability(p[this.wanted])} = ${loss < 0.0995 ? precise(loss) : hundredths(loss)} nats${after}. `), `The push is up for ${name} and down for every other class, by its probability; all pushes sum to 0, and they fade as p(${name}) nears 1.`);
    this.part("forget").disabled = !this.steps;
    this.drawCurve();
  }

  // -ln p over p, and where the pixel stands on it.
  drawCurve() {
    const canvas = this.part("curve"), width = canvas.clientWidth, height = 300;
    if (!width) return;
    const p = this.softmax(this.learned)[this.wanted], most = 5, left = 44, x = (part) => left + (width - left - 12) * part, y = (loss) => 28 + (height - 66) * (1 - clamp(loss, 0, most) / most);
    const text = (at, level, anchor, content, name = "") => svg("text", { x: at, y: level, "text-anchor": anchor, class: name }, content);
    const points = Array.from({ length: 201 }, (_, k) => Math.exp(-most) + (1 - Math.exp(-most)) * (k / 200) ** 2).map((part) => `${x(part).toFixed(1)},${y(-Math.log(part)).toFixed(1)}`).join(" ");
    const level = y(-Math.log(Math.max(p, 1e-9)));
    canvas.style.height = `${height}px`;
    canvas.replaceChildren(
      svg("line", { class: "cl-axis", x1: x(0), x2: x(1), y1: y(0), y2: y(0) }), svg("line", { class: "cl-axis", x1: x(0), x2: x(0), y1: y(0), y2: 28 }),
      svg("polyline", { class: "cl-line", points }), svg("line", { class: "cl-mark", x1: x(p), x2: x(p), y1: y(0), y2: level }), svg("circle", { class: "cl-dot", cx: x(p), cy: level, r: 7 }),
      text(x(0) - 36, 16, "start", "loss −ln p, nats"), ...[0, 1, 2, 3, 4, 5].map((loss) => text(left - 10, y(loss) + 5, "end", String(loss))),
      ...[0, 0.5, 1].map((part) => text(x(part), y(0) + 19, part === 1 ? "end" : "middle", String(part))), text(x(0.5), height - 4, "middle", "probability of the true class"),
    );
  }
}
