// Spectral clustering from the inside: affinities of one superpixel, blocks, spectrum, the two-way cut, the tree.

// Most affinities are small; by their cube roots the eye tells them apart. Of whole numbers 0..255 to the same.
const SHADES = Uint8Array.from({ length: 256 }, (_, w) => Math.round(255 * Math.cbrt(w / 255)));
const EXTREMES = 0.02, SPECK = 0.02, LARGE = 0.05;  // of the photo's area
const MOST_GROUPS = 12, NO_GAP = 0.02, CLEAR_GAP = 1.2;  // as where K is chosen automatically; from which ratio a gap is a gap
const FIRST = "#2f7bff", SECOND = "#ffb000", ORANGE = [217, 122, 0];

class SpectrumLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    Object.assign(this, { node: null, vector: 2, isOrdered: true, isLaplacian: false });
    const board = (name, paint, point) => new Board(this.part(name), (context, size) => this.result && paint.call(this, context, size), point && ((...at) => this.result && point.call(this, ...at)));
    this.boards = {
      affinity: board("affinity", this.paintAffinity, (u, v) => this.choose(this.nodeAt(u, v))), matrix: board("matrix", this.paintMatrix, this.readMatrix),
      segments: board("segments", this.paintSegments), vector: board("vector", this.paintVector), second: board("second", this.paintSecond), cut: board("cut", this.paintCut),
    };
    this.curve = new Curve(this.part("curve"), (k) => this.moveThreshold(k), 190);
    this.tree = new CutTree(this);
    this.listen();
  }

  listen() {
    for (const name of ["superpixels", "colour", "contour", "position", "radius"]) {
      this.part(name).addEventListener("input", () => { this.writeFields(); if (this.result) this.requestSoon(); });
    }
    this.part("clusters").addEventListener("input", () => this.useClusters(this.number("clusters")));
    this.part("offer").addEventListener("click", () => this.useClusters(this.result.suggested));
    this.part("threshold").addEventListener("input", () => this.moveThreshold(this.number("threshold")));
    this.part("least").addEventListener("click", () => this.moveThreshold(this.result.best));
    this.part("larger").addEventListener("click", () => this.moveThreshold(this.larger));
    this.listenToSwitch("order", ["by segment", "as numbered"], (k) => { this.isOrdered = k === 0; });
    this.listenToSwitch("kind", ["W", "L = D − W"], (k) => { this.isLaplacian = k === 1; });
    new ResizeObserver(() => this.drawSpectrum()).observe(this.part("values"));
    this.writeFields();
  }

  listenToSwitch(name, titles, choose) {
    const buttons = titles.map((title, k) => {
      const button = html("button", { type: "button", "aria-pressed": String(k === 0) }, title);
      button.addEventListener("click", () => {
        buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        choose(k);
        this.makeMatrix();
      });
      return button;
    });
    this.part(name).replaceChildren(...buttons);
  }

  writeFields() {
    for (const name of ["colour", "contour", "position", "radius"]) this.say(`${name}-value`, this.part(name).value);
  }

  question() {
    return { superpixels: this.number("superpixels"), sigma_colour: this.number("colour"), contour: this.number("contour"), sigma_position: this.number("position"), radius: this.number("radius") };
  }

  async decode(value) {
    const [image, nodes, weights] = await Promise.all([loadImage(value.photo), unpack(value.nodes), unpack(value.weights)]);
    return { ...value, image, nodes, weights: weights.values, count: weights.width };
  }

  receive(result) {
    this.result = result;
    const { image, nodes, count, sweep, eigenvectors } = result;
    this.outlines = boundaryLayer(nodes, pixelOf("#ffffff", 70));
    this.dark = toned(image, 0, 0.4);
    this.pale = toned(image, 0.4);
    for (const name of ["affinity", "segments", "vector", "second", "cut"]) this.boards[name].shape(image.naturalWidth, image.naturalHeight);
    result.degrees = Array.from({ length: count }, (_, i) => result.weights.subarray(i * count, (i + 1) * count).reduce((sum, w) => sum + w, 0) / 255);
    result.areas = Array.from({ length: count }, () => 0);
    for (const node of nodes.values) result.areas[node] += 1 / nodes.values.length;
    result.best = sweep.ncuts.indexOf(Math.min(...sweep.ncuts));
    this.part("clusters").max = Math.max(...Object.keys(result.segmented).map(Number));
    this.part("threshold").max = sweep.ncuts.length - 1;
    this.curve.load(sweep.ncuts, {
      title: "Ncut (orange, dashed: the threshold)", left: "one superpixel below", right: "all but one below",
      shadow: sweep.thresholds, mark: result.best, markText: `least: ${precise(sweep.ncuts[result.best])}`, fromZero: true,
    });
    this.vector = Math.min(this.vector, eigenvectors.length);
    this.choose(this.nodeAt(0.5, 0.5));
    this.useClusters(clamp(this.number("clusters"), 2, Number(this.part("clusters").max)));
    this.chooseVector(this.vector);
    this.moveThreshold(result.best);
    this.tree.load(result);
    this.warnOfSpeck();
  }

  nodeAt(u, v) {
    const { width, height, values } = this.result.nodes;
    return values[Math.floor(v * height) * width + Math.floor(u * width)];
  }

  // A photo with every node in a colour over it.
  paintNodes(context, size, pixelOfNode, { photo = this.result.image, lines = this.outlines } = {}) {
    drawLayer(context, photo, size, { isSmooth: true });
    drawLayer(context, labelLayer(this.result.nodes, pixelOfNode), size);
    if (lines) drawLayer(context, lines, size);
  }

  // --- the affinities of one superpixel -----------------------------------------------------

  choose(node) {
    if (node === this.node && this.boards.affinity.of === this.result) return;
    this.node = node;
    this.boards.affinity.of = this.result;
    const { weights, count } = this.result, row = weights.subarray(node * count, (node + 1) * count);
    const joined = row.filter((w, j) => w > 0 && j !== node).length, strongest = row.reduce((most, w, j) => (j === node ? most : Math.max(most, w)), 0) / 255;
    this.say("affinity-caption", `Superpixel ${node + 1} is joined to ${plural(joined, "other")} by more than 0.002; the strongest link is ${strongest.toFixed(2)}, its degree dᵢ = ${this.result.degrees[node].toFixed(1)}.`);
    this.boards.affinity.refresh();
  }

  paintAffinity(context, size) {
    const { weights, count, nodes } = this.result, row = this.node * count;
    this.paintNodes(context, size, (j) => (weights[row + j] ? ((viridisPixels[SHADES[weights[row + j]]] & 0xffffff) | (225 << 24)) >>> 0 : 0), { photo: this.dark });
    const own = { ...nodes, values: nodes.values.map((j) => (j === this.node ? 1 : 0)) };
    drawLayer(context, boundaryLayer(own, pixelOf("#ff3b6b", 255)), size);
  }

  // --- the matrix in blocks, and the segments -----------------------------------------------

  useClusters(clusters) {
    this.part("clusters").value = clusters;
    this.say("clusters-value", String(clusters));
    const { labels, ncut, outside } = this.segmented = this.result.segmented[clusters];
    this.order = [...labels.keys()].sort((i, j) => labels[i] - labels[j] || i - j);
    this.part("offer").disabled = clusters === this.result.suggested;
    this.say("matrix-caption", html("b", {}, `K = ${clusters}: Ncut ${ncut.toFixed(3)}.`), ` Of all affinity, ${percent(outside)} lies outside the blocks: links that the cut severs; Ncut counts them by the size of the segment, so small ones weigh heavily. `,
      "If the groups had no links between them, W and L would be exactly block-diagonal. ", html("span", { class: "cl-hint" }, "Colours: the cube root of the affinity, from 0, dark, to 1, yellow; orange, on the diagonal of L: the degrees."));
    this.makeMatrix();
    this.boards.segments.refresh();
    this.drawSpectrum();
  }

  makeMatrix() {
    if (!this.result) return;
    const { weights, count, degrees } = this.result, order = this.isOrdered ? this.order : [...this.order.keys()], most = Math.max(...degrees);
    this.matrix = blankCanvas(count, count);
    paintPixels(this.matrix, count, count, (at) => {
      const i = order[Math.floor(at / count)], j = order[at % count];
      if (!this.isLaplacian || i !== j) return viridisPixels[SHADES[weights[i * count + j]]];
      const part = 0.35 + 0.65 * (degrees[i] - 1) / Math.max(most - 1, 1e-9), [r, g, b] = ORANGE.map((c) => Math.round(c * part));
      return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    });
    this.boards.matrix.refresh();
  }

  paintMatrix(context, size) {
    drawLayer(context, this.matrix, size, { isSmooth: size.width < this.result.count });
    if (!this.isOrdered) return;
    Object.assign(context, { strokeStyle: "rgba(255,255,255,.85)", lineWidth: 1.2 });
    this.order.forEach((node, k) => {
      if (!k || this.segmented.labels[node] === this.segmented.labels[this.order[k - 1]]) return;
      const at = k / this.result.count * size.width;
      context.beginPath();
      context.moveTo(at, 0); context.lineTo(at, size.height); context.moveTo(0, at); context.lineTo(size.width, at);
      context.stroke();
    });
  }

  readMatrix(u, v) {
    const { count, weights, degrees } = this.result, order = this.isOrdered ? this.order : [...this.order.keys()];
    const i = order[Math.floor(v * count)], j = order[Math.floor(u * count)], weight = weights[i * count + j] / 255, { labels } = this.segmented;
    const sign = this.isLaplacian ? "L" : "W", value = this.isLaplacian ? (i === j ? degrees[i] - weight : -weight) : weight;
    const where = labels[i] === labels[j] ? `both in segment ${labels[i] + 1}` : `in segments ${labels[i] + 1} and ${labels[j] + 1}`;
    this.say("matrix-value", `${sign}(${i + 1}, ${j + 1}) = ${value.toFixed(2)}, ${i === j ? `segment ${labels[i] + 1}` : where}`);
  }

  paintSegments(context, size) {
    const pixels = this.result.hues.map((hex) => pixelOf(hex, 165)), { labels } = this.segmented;
    this.paintNodes(context, size, (node) => pixels[labels[node]], { photo: this.pale, lines: null });
    drawLayer(context, boundaryLayer({ ...this.result.nodes, values: this.result.nodes.values.map((node) => labels[node]) }, pixelOf("#ffffff", 255)), size);
  }

  // --- the spectrum and the eigenvectors ----------------------------------------------------

  drawSpectrum() {
    const canvas = this.part("values"), width = canvas.clientWidth;
    if (!this.result || !width) return;
    const { eigenvalues: values, suggested } = this.result, top = Math.max(...values) * 1.02 || 1, floor = 216;
    const x = (k) => 34 + (width - 56) * (k - 1) / Math.max(values.length - 1, 1), y = (value) => floor - (floor - 34) * value / top;
    const [low, high] = [values[suggested - 1], values[suggested]], middle = (x(suggested) + x(suggested + 1)) / 2;
    const highest = Math.max(...values), [isClear, verdict] = this.judgeGap();
    const ticks = values.map((value, i) => this.makeValue(i + 1, value, x(i + 1), y(value), floor, (width - 56) / values.length));
    canvas.replaceChildren(
      svg("line", { class: "cl-level", x1: 20, x2: width - 8, y1: y(highest), y2: y(highest) }), svg("text", { class: "cl-level-text", x: 20, y: y(highest) - 5 }, precise(highest)),
      svg("rect", { class: `cl-gap${isClear ? "" : " cl-unclear"}`, x: x(1) - 10, width: x(values.length) - x(1) + 20, y: y(high), height: Math.max(y(low) - y(high), 2) }),
      svg("text", { class: "cl-gap-text", x: 20, y: 15 }, `λ${lowered(suggested + 1)} = ${precise(high)} after λ${lowered(suggested)} = ${precise(low)}`),
      svg("line", { class: "cl-mark", x1: middle, x2: middle, y1: y(high), y2: floor }), svg("line", { class: "cl-axis", x1: 20, x2: width - 8, y1: floor, y2: floor }), ...ticks,
    );
    this.say("offer", isClear ? `Use K = ${suggested}` : `Try K = ${suggested} all the same`);
    this.say("gap-caption", `The eigengap: for k from 2 to ${Math.min(MOST_GROUPS, values.length - 1)} the ratio (λₖ₊₁ + δ) / (λₖ + δ) is largest after λ${lowered(suggested)}. ${verdict} δ = 0.02 keeps leaps between values that are all as good as 0 from counting. `,
      "Other widths σ give another spectrum. Choose a λ to see its eigenvector.");
  }

  // Whether the largest gap stands out, and what there is to say of it and of the next.
  judgeGap() {
    const { eigenvalues: values, suggested } = this.result, ratios = [];
    for (let k = 2; k <= Math.min(MOST_GROUPS, values.length - 1); k++) ratios.push([(values[k] + NO_GAP) / (values[k - 1] + NO_GAP), k]);
    ratios.sort(([a], [b]) => b - a);
    const [[most], next] = ratios, told = (ratio) => ratio.toFixed(ratio < 10 ? 2 : 0);
    if (!next) return [true, `It is ${told(most)} there.`];
    const compared = `It is ${told(most)} there, and ${told(next[0])} after λ${lowered(next[1])}, the next largest`;
    const isClear = most >= CLEAR_GAP && most >= 1.03 * next[0];
    return [isClear, isClear ? `${compared}: ${suggested} groups hang together, and dividing further costs more. An offer, no law.` : `${compared}: no clear gap, this spectrum favours no K.`];
  }

  makeValue(k, value, x, y, floor, wide) {
    const isLabelled = wide > 19 || k % 5 === 0 || k === 1;
    const group = svg("g", { class: `cl-value${k === this.vector ? " cl-chosen" : ""}`, tabindex: 0, role: "button", "aria-label": `eigenvalue ${k}: ${precise(value)}` },
      svg("title", {}, `λ${lowered(k)} = ${precise(value)}`), svg("rect", { class: "cl-hit", x: x - wide / 2, y: 16, width: wide, height: floor + 8 }), svg("line", { x1: x, x2: x, y1: floor, y2: y }),
      svg("circle", { cx: x, cy: y, r: 6 }), svg("text", { x, y: floor + 20, "text-anchor": "middle" }, isLabelled ? String(k) : ""));
    group.addEventListener("click", () => this.chooseVector(k));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.chooseVector(k);
      this.part("values").querySelectorAll(".cl-value")[k - 1].focus();
    });
    return group;
  }

  chooseVector(k) {
    this.vector = k;
    this.drawSpectrum();
    const plain = k === 1 ? " It is constant on a connected graph and tells nothing." : " Where it is nearly constant, superpixels belong together.";
    this.say("vector-caption", html("b", {}, `Eigenvector f${lowered(k)}, λ${lowered(k)} = ${precise(this.result.eigenvalues[k - 1])}.`), plain);
    this.boards.vector.refresh();
  }

  // Nodes in the colours of viridis; one small part far from all others would leave them a single colour.
  paintValues(context, size, values) {
    const [low, high] = this.middle(values), level = (node) => (high > low ? Math.round(255 * clamp((values[node] - low) / (high - low), 0, 1)) : 128);
    this.paintNodes(context, size, (node) => viridisPixels[level(node)], { lines: null });
  }

  // Between which values all but EXTREMES of the photo's area lies at either end; all, where the rest is constant.
  middle(values) {
    const order = [...values.keys()].sort((i, j) => values[i] - values[j]), { areas } = this.result;
    const beyond = (nodes) => { let seen = 0; return values[nodes.find((node) => (seen += areas[node]) > EXTREMES)]; };
    const [low, high] = [values[order[0]], values[order[order.length - 1]]], [inner, outer] = [beyond(order), beyond([...order].reverse())];
    if (high - low < 1e-3 * Math.max(Math.abs(low), 1e-9)) return [low, low];
    return outer - inner > 1e-3 * (high - low) ? [inner, outer] : [low, high];
  }

  paintVector(context, size) { this.paintValues(context, size, this.result.eigenvectors[this.vector - 1]); }

  // --- the two-way cut ----------------------------------------------------------------------

  moveThreshold(index) {
    if (!this.result) return;
    const { sweep, best, count } = this.result, below = sweep.below[index];
    this.isAbove = new Uint8Array(count).fill(1);
    for (const node of sweep.order.slice(0, below)) this.isAbove[node] = 0;
    this.part("threshold").value = index;
    this.part("least").disabled = index === best;
    this.say("cut-caption", html("b", {}, `f₂ ≤ ${sweep.thresholds[index].toPrecision(3).replace("-", "−")}: Ncut ${precise(sweep.ncuts[index])}.`), ` ${below} and ${count - below} superpixels`,
      index === best ? "; no threshold has a smaller Ncut." : `; the least is ${precise(sweep.ncuts[best])}.`);
    this.part("threshold").setAttribute("aria-valuetext", this.part("cut-caption").textContent);
    this.curve.at(index);
    this.boards.cut.refresh();
  }

  // Where the best cut severs next to nothing from the photo, the reader is told why the denominators allow it.
  warnOfSpeck() {
    const { sweep, best, areas } = this.result, part = (index) => sweep.order.slice(0, sweep.below[index]).reduce((sum, node) => sum + areas[node], 0);
    const sides = sweep.below.map((_, index) => { const below = part(index); return Math.min(below, 1 - below); }), smaller = sides[best];
    const large = [...sides.keys()].filter((index) => sides[index] >= LARGE).sort((a, b) => sweep.ncuts[a] - sweep.ncuts[b]);
    this.larger = large[0];
    this.part("speck").hidden = smaller >= SPECK;
    this.part("larger").hidden = smaller >= SPECK || this.larger === undefined;
    this.say("speck", html("b", {}, `The smaller side is only ${percent(smaller)} of the photo: f₂ isolates a speck.`),
      ` The denominators assoc(A, V) and assoc(B, V) make small parts expensive, but not one that has hardly a link to the rest: here its links across the cut are at most ${percent(sweep.ncuts[best])} of all its affinity. `,
      "Look at the next eigenvectors in part 2, which part 3 uses as well, or raise σ colour, which strengthens its links.");
  }

  paintSecond(context, size) { this.paintValues(context, size, this.result.eigenvectors[1]); }

  paintCut(context, size) {
    const sides = [pixelOf(FIRST, 120), pixelOf(SECOND, 120)], { nodes } = this.result;
    this.paintNodes(context, size, (node) => sides[this.isAbove[node]], { photo: this.pale, lines: null });
    drawLayer(context, boundaryLayer({ ...nodes, values: nodes.values.map((node) => this.isAbove[node]) }, pixelOf("#ffffff", 255)), size);
  }
}
