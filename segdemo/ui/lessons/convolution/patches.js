// A network patch by patch and in one pass; and a calculator for convolutions.

const SHADE = 150;  // of 255, how much a label covers the photo

const times = (value) => value.toLocaleString("en", { maximumFractionDigits: 0 });
const work = (value) => (value >= 1e12 ? `${short3(value / 1e12)} · 10¹²` : value >= 1e9 ? `${short3(value / 1e9)} · 10⁹` : `${short3(value / 1e6)} · 10⁶`);
const short3 = (value) => Number(value.toPrecision(3)).toLocaleString("en");
const lasting = (seconds) => (seconds < 0.0995 ? `${Math.round(1000 * seconds)} ms` : seconds < 120 ? `${short3(seconds)} s` : seconds < 7200 ? `${short3(seconds / 60)} min` : `${short3(seconds / 3600)} h`);

class PatchesLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    this.cell = null;
    this.patched = new PixelBoard(this.part("patched"), (context, size) => this.result && this.paintPatched(context, size), (u, v) => this.result && this.pointAt(u, v), (dx, dy) => this.result && this.step(dx, dy));
    this.whole = new Board(this.part("whole"), (context, size) => this.result && this.paintWhole(context, size));
    this.part("patched").addEventListener("pointerleave", (event) => this.leave(event));
    for (const name of ["network", "side", "step"]) this.part(name).addEventListener("change", () => this.result && this.request());
    for (const name of ["kernels", "size", "channels", "places"]) this.part(name).addEventListener("input", () => this.count());
    this.count();
  }

  question() { return { network: this.part("network").value, side: this.number("side"), step: this.number("step") }; }

  async decode(value) {
    const [image, patched, whole] = await Promise.all([loadImage(value.photo), unpack(value.patched), unpack(value.whole)]);
    return { ...value, image, patched, whole };
  }

  receive(result) {
    this.result = result;
    const inks = result.palette.map((hex, label) => (label ? pixelOf(hex, SHADE) : 0));
    this.layers = { patched: labelLayer(result.patched, (label) => inks[label]), whole: labelLayer(result.whole, (label) => inks[label]) };
    for (const board of [this.patched, this.whole]) board.shape(result.whole.width, result.whole.height);
    this.part("keys").replaceChildren(...result.found.map((label) => html("span", {}, html("i", { style: `background:${label ? result.palette[label] : "transparent"}` }), result.names[label])));
    this.describe();
  }

  describe() {
    const { whole, patched, step, side, count, seconds: [once, all], work: [passWork, patchWork] } = this.result, pixels = whole.values.length;
    const alike = whole.values.reduce((sum, label, i) => sum + (label === patched.values[Math.floor(i / whole.width / step) * patched.width + Math.floor(i % whole.width / step)] ? 1 : 0), 0) / pixels;
    this.say("alike", `${percent(alike)} of its pixels as patch by patch`);
    const dearer = patchWork * pixels / passWork, ratio = count * patchWork / passWork, much = ratio < 1.05 ? "as much work as" : `${short3(ratio)} times the work of`;
    this.say("caption", html("b", {}, `${plural(count, "patch", "patches")} for as many labels: ${much} the pass that labels all ${times(pixels)} pixels. `),
      `A patch for every pixel would be ${times(dearer)} times the work: every pixel then lies in ${times(side * side)} patches, and is worked on anew in each of them.`);
    const row = (title, runs, cost, time, labels, name = "") => html("tr", { class: name }, html("th", { scope: "row" }, title), ...[times(runs), cost, time, times(labels)].map((text) => html("td", {}, text)));
    this.part("table").replaceChildren(html("table", { class: "cv-table" },
      html("thead", {}, html("tr", {}, ...["", "runs", "multiply-adds", "time", "labels"].map((text) => html("th", {}, text)))),
      html("tbody", {}, row("one pass over the photo", 1, work(passWork), lasting(once), pixels), row(`a patch every ${step} px`, count, work(count * patchWork), lasting(all), count),
        row("a patch for every pixel, worked out", pixels, work(pixels * patchWork), `about ${lasting(all / count * pixels)}`, pixels, "cv-dear"))));
  }

  pointAt(u, v) {
    const { whole, step } = this.result;
    this.cell = [Math.floor(u * whole.width / step), Math.floor(v * whole.height / step)];
    this.patched.refresh();
  }

  // A finger that lifts leaves, too; what it, a click or the keys have chosen stays.
  leave({ pointerType, target }) {
    if (pointerType === "touch" || target === document.activeElement) return;
    this.cell = null;
    this.patched.refresh();
  }

  step(dx, dy) {
    const { width, height } = this.result.patched, [column, row] = this.cell || [Math.floor(width / 2), Math.floor(height / 2)];
    this.cell = [clamp(column + dx, 0, width - 1), clamp(row + dy, 0, height - 1)];
    this.patched.refresh();
  }

  // Squares as large as their step: those at the right and lower edge may reach beyond the photo.
  paintPatched(context, size) {
    const { image, patched, whole, step, side } = this.result, zoom = size.width / whole.width;
    drawLayer(context, image, size, { isSmooth: true });
    context.save();
    context.beginPath();
    context.rect(0, 0, size.width, size.height);
    context.clip();
    drawLayer(context, this.layers.patched, { width: patched.width * step * zoom, height: patched.height * step * zoom });
    context.restore();
    if (!this.cell) return;
    const middle = this.cell.map((at, axis) => Math.min(at * step + step / 2, (axis ? whole.height : whole.width) - 1) * zoom);
    for (const [colour, thickness] of [["#000", 5], ["#ffdc00", 2.5]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
      context.strokeRect(middle[0] - side / 2 * zoom, middle[1] - side / 2 * zoom, side * zoom, side * zoom);
      context.strokeRect(this.cell[0] * step * zoom, this.cell[1] * step * zoom, step * zoom, step * zoom);
    }
  }

  paintWhole(context, size) {
    drawLayer(context, this.result.image, size, { isSmooth: true });
    drawLayer(context, this.layers.whole, size);
  }

  // --- the calculator -------------------------------------------------------------------------

  count() {
    const kernels = 2 ** this.number("kernels"), size = this.number("size"), channels = this.number("channels"), places = this.number("places") ** 2;
    for (const [name, text] of Object.entries({ kernels, size: `${size} × ${size}`, channels, places: `${Math.sqrt(places)} × ${Math.sqrt(places)}` })) this.say(`${name}-value`, String(text));
    const full = kernels * size * size * channels * places, depth = size * size * channels * places, point = kernels * channels * places, most = Math.max(full, depth + point);
    const bar = (...parts) => html("div", { class: "cv-track" }, ...parts.map(([name, value]) => html("i", { class: name, style: `width:${100 * value / most}%` })));
    this.part("bars").replaceChildren(
      html("span", {}, "convolution"), bar(["cv-full", full]), html("output", { "data-testid": "patches-full" }, times(full)),
      html("span", {}, "depthwise + pointwise"), bar(["cv-depth", depth], ["cv-point", point]), html("output", { "data-testid": "patches-split" }, times(depth + point)));
    const ratio = full / (depth + point);
    this.say("count-caption", html("b", {}, ratio > 1 ? `${short3(ratio)} times fewer multiplications. ` : "Nothing is saved here. "),
      `Convolution: ${plural(kernels, "kernel")} of ${size} × ${size} × ${channels} at ${plural(places, "place")}, ${times(full)}. `
      + `Depthwise: ${plural(channels, "kernel")} of ${size} × ${size}, ${times(depth)}; pointwise: ${plural(kernels, "kernel")} of 1 × 1 × ${channels}, ${times(point)}. The ratio is 1 / (1/${times(kernels)} + 1/${size * size}) = ${short3(ratio)}.`);
  }
}
