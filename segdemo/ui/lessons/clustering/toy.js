// Points in the plane: k-means and spectral clustering of the same points, side by side.

const APART = 0.022;  // between two points drawn in one stroke, in the unit of the square
const MOST_DRAWN = 400;

class ToyLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    Object.assign(this, { points: [], result: null, stroke: null });
    const board = (name, paint) => new Board(this.part(name), (context, size) => paint.call(this, context, size));
    this.boards = {
      kmeans: new Board(this.part("kmeans"), (context, size) => this.paintKmeans(context, size), (u, v, isMeant) => this.draw(u, v, isMeant)),
      spectral: new Board(this.part("spectral"), (context, size) => this.paintSpectral(context, size), (u, v, isMeant) => this.draw(u, v, isMeant)),
      seen: board("seen", this.paintSeen),
    };
    this.part("shape").addEventListener("change", () => this.useShape());
    this.part("again").addEventListener("click", () => { this.seed = (this.seed || 0) + 1; this.useShape(); });
    this.part("clear").addEventListener("click", () => this.clear());
    for (const name of ["clusters", "width"]) this.part(name).addEventListener("input", () => { this.writeFields(); if (this.points.length) this.requestSoon(this.drawn); });
    this.part("links").addEventListener("change", () => this.boards.spectral.refresh());
    for (const name of ["kmeans", "spectral"]) for (const end of ["pointerup", "pointerleave", "pointercancel"]) this.part(name).addEventListener(end, () => { this.stroke = null; });
    this.writeFields();
  }

  // The width's slider is logarithmic: 0.01 to 1.
  get width() { return Number((10 ** (this.number("width") - 2)).toPrecision(2)); }
  get drawn() { return { points: this.points }; }

  writeFields() {
    this.say("clusters-value", String(this.number("clusters")));
    this.say("width-value", this.width.toFixed(this.width < 0.1 ? 3 : 2));
    this.part("width").setAttribute("aria-valuetext", String(this.width));
  }

  question() { return { shape: this.part("shape").value, seed: this.seed || 0, clusters: this.number("clusters"), width: this.width }; }

  request(further) {
    if (this.part("shape").value === "drawn" && !(further && further.points)) {
      super.request(this.drawn);
      return;
    }
    super.request(further);
  }

  // A shape comes with the number of clusters that a person sees.
  useShape() {
    if (this.part("shape").value === "drawn") this.clear();
    else super.request({ clusters: 0 });
  }

  clear() {
    this.part("shape").value = "drawn";
    Object.assign(this, { points: [], result: null, turn: this.turn + 1 });
    this.part("busy").hidden = this.part("error").hidden = true;
    this.part("body").hidden = false;
    for (const name of ["kmeans-caption", "spectral-caption", "seen-caption"]) this.say(name, name.startsWith("seen") ? "" : "Draw points here: click, or hold and move.");
    this.refresh();
  }

  receive(result) {
    Object.assign(this, { result, points: result.points });
    this.part("clusters").value = result.clusters;
    this.writeFields();
    this.say("kmeans-caption", html("b", {}, `Objective ${result.objective.toFixed(2)}.`), " Each point goes to the nearest centre, so the border between two clusters is a straight line.");
    this.say("spectral-caption", html("b", {}, `Ncut ${precise(result.ncut)}.`), ` Part of the affinity that is cut: ${percent(result.outside)}. Lines: links of W > 0.1.`);
    this.say("seen-caption", `The same points at (f₂, f₃), λ₂ = ${precise(result.eigenvalues[1])}${result.eigenvalues.length > 2 ? `, λ₃ = ${precise(result.eigenvalues[2])}` : ""}. Groups without links between them lie far apart here, however they wind.`);
    this.refresh();
  }

  refresh() { for (const board of Object.values(this.boards)) board.refresh(); }

  // Drawing adds to what is there; the shape is then one's own.
  draw(u, v, isMeant) {
    const isNear = this.stroke && Math.hypot(u - this.stroke[0], v - this.stroke[1]) < APART;
    if (isMeant === false || (isMeant === null && (!this.stroke || isNear))) return;
    if (this.points.length >= MOST_DRAWN) return;
    this.part("shape").value = "drawn";
    this.stroke = [u, v].map((part) => Number(part.toFixed(4)));
    this.points = [...this.points, this.stroke];
    this.result = null;
    this.turn += 1;  // an answer on its way is about fewer points
    this.refresh();
    if (this.points.length > this.number("clusters")) this.requestSoon(this.drawn);
  }

  // --- painting -----------------------------------------------------------------------------

  paintPoints(context, { width, height }, places, labels) {
    const ink = themed(this.root, "--body-text-color"), radius = Math.max(3.5, width / 105);
    for (const [i, [u, v]] of places.entries()) {
      context.fillStyle = labels ? this.result.hues[labels[i]] : ink;
      context.beginPath();
      context.arc(u * width, v * height, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  paintKmeans(context, size) {
    const { result } = this;
    if (result) this.paintCells(context, size);
    this.paintPoints(context, size, this.points, result && result.kmeans);
    for (const [k, [u, v]] of (result ? result.centres : []).entries()) drawDisc(context, u * size.width, v * size.height, 11, result.hues[k], "c");
  }

  // The part of the square that is nearest to each centre, faintly.
  paintCells(context, size) {
    const side = 120, { centres, hues } = this.result, pixels = hues.map((hex) => pixelOf(hex, 38)), cells = blankCanvas(side, side);
    paintPixels(cells, side, side, (i) => {
      const u = (i % side + 0.5) / side, v = (Math.floor(i / side) + 0.5) / side, away = centres.map(([x, y]) => (x - u) ** 2 + (y - v) ** 2);
      return pixels[away.indexOf(Math.min(...away))];
    });
    drawLayer(context, cells, size, { isSmooth: true });
  }

  paintSpectral(context, size) {
    if (this.result && this.part("links").checked) this.paintLinks(context, size);
    this.paintPoints(context, size, this.points, this.result && this.result.spectral);
  }

  paintLinks(context, { width, height }) {
    const { points, result: { width: sigma } } = this, reach = sigma * Math.sqrt(Math.log(10)), faint = Math.min(1, 40 * points.length / this.countLinks(reach));
    context.strokeStyle = themed(this.root, "--body-text-color-subdued");
    context.lineWidth = 1;
    for (let i = 0; i < points.length; i++) {
      for (let j = i + 1; j < points.length; j++) {
        const apart = Math.hypot(points[i][0] - points[j][0], points[i][1] - points[j][1]);
        if (apart > reach) continue;
        context.globalAlpha = faint * (0.12 + 0.6 * Math.exp(-((apart / sigma) ** 2)));
        if (context.globalAlpha < 0.01) continue;
        context.beginPath();
        context.moveTo(points[i][0] * width, points[i][1] * height);
        context.lineTo(points[j][0] * width, points[j][1] * height);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }

  countLinks(reach) {
    const { points } = this;
    let links = 1;
    for (let i = 0; i < points.length; i++) for (let j = 0; j < i; j++) if (Math.hypot(points[i][0] - points[j][0], points[i][1] - points[j][1]) <= reach) links += 1;
    return links;
  }

  paintSeen(context, size) {
    if (!this.result) return;
    const axes = this.result.seen.map((values) => {
      const low = Math.min(...values), span = Math.max(...values) - low;
      return values.map((value) => (span > 1e-9 ? 0.08 + 0.84 * (value - low) / span : 0.5));
    });
    this.paintPoints(context, size, axes[0].map((u, i) => [u, axes[1] ? 1 - axes[1][i] : 0.5]), this.result.spectral);
    Object.assign(context, { font: "15px system-ui, sans-serif", fillStyle: themed(this.root, "--soft"), textAlign: "right", textBaseline: "bottom" });
    context.fillText("f₂ →", size.width - 8, size.height - 5);
    Object.assign(context, { textAlign: "left", textBaseline: "top" });
    if (axes[1]) context.fillText("↑ f₃", 8, 6);
  }
}
