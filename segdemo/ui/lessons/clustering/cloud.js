// k-means step by step: the cloud, the clustered picture, the photo to place centres on, the objective.

class CloudLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    this.places = [];
    this.view = new CloudView(this.part("cloud"));
    this.picture = new Board(this.part("picture"), (context, size) => this.paintPicture(context, size));
    this.photo = new Board(this.part("photo"), (context, size) => this.paintPhoto(context, size), (u, v, isMeant) => isMeant && this.addPlace([u, v]));
    this.player = new Player(this.part("player"), "iteration of k-means", (k) => this.go(k), 800);
    this.curve = new Curve(this.part("curve"), (k) => this.player.move(k));
    this.part("again").addEventListener("click", () => { this.part("seed").value = this.number("seed") + 1; this.restart(); });
    for (const name of ["clusters", "space", "seed"]) this.part(name).addEventListener("change", () => this.result && this.restart());
    this.part("paint").addEventListener("change", () => this.repaint());
    this.part("from-places").addEventListener("click", () => this.request({ places: this.places }));
    this.part("clear").addEventListener("click", () => { this.places = []; this.updatePlaces(); });
    window.addEventListener("segdemo-clusters", ({ detail: { clusters, space } }) => {
      if (!root.isConnected) return;
      this.part("clusters").value = clusters;
      this.part("space").value = space;
      this.restart();
    });
    this.updatePlaces();
    this.writeNote();
  }

  question() { return { clusters: this.number("clusters"), space: this.part("space").value, seed: this.number("seed") }; }

  restart() { this.request(); }

  request(further = {}) {
    this.asked = { ...this.question(), ...further };
    super.request(further);
  }

  async decode(value) {
    const [image, ...maps] = await Promise.all([loadImage(value.photo), ...value.steps.map((step) => unpack(step.labels))]);
    return { ...value, image, steps: value.steps.map((step, k) => ({ ...step, labels: maps[k] })) };
  }

  receive(result) {
    const isNewPhoto = !this.result || this.result.photo !== result.photo;
    this.result = result;
    if (isNewPhoto) this.places = [];
    const { naturalWidth: width, naturalHeight: height } = result.image;
    this.sampled = this.readPhoto(result);
    this.view.load(result.positions, result.space);
    this.layers = [];
    this.picture.shape(width, height);
    this.photo.shape(width, height);
    const { width: across, height: down } = result.steps[0].labels;
    this.curve.load(result.steps.map((step) => step.objective / (across * down)), {
      title: "objective Σ δᵢⱼ ‖xᵢ − cⱼ‖² per pixel", left: "iteration 1", right: `iteration ${result.steps.at(-1).number}`, fromZero: true, ticks: true,
      places: result.steps.map((step) => step.number),
    });
    this.updatePlaces();
    this.say("space-note", SPACE_NOTES[result.space]);
    const found = result.steps[0].centres.length, isPlaced = this.asked.places !== undefined;
    if (isPlaced) this.part("clusters").value = found;
    const few = !isPlaced && found < this.asked.clusters ? `; it has only ${plural(found, "colour")}, so K = ${found}` : "";
    this.say("sample", `${result.pixels.length.toLocaleString("en")} of ${plural(across * down, "pixel")}${few}`);
    this.shown = null;
    this.player.load(result.steps.length);
  }

  // The photo's own colours of the sampled pixels.
  readPhoto({ image, pixels, steps: [{ labels: { width, height } }] }) {
    const canvas = blankCanvas(width, height), context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    return pixels.map((i) => `rgb(${data[4 * i]},${data[4 * i + 1]},${data[4 * i + 2]})`);
  }

  get step() { return this.result.steps[this.player.position]; }
  get palette() { return this.part("paint").value === "mean" ? this.step.palette : this.result.hues; }

  // The centres glide from where they are shown to where this step has them.
  go(position) {
    if (!this.result) return "";
    const from = this.shown, { centres } = this.step, start = performance.now(), isGliding = from && from.length === centres.length && !isStill();
    cancelAnimationFrame(this.gliding);
    const glide = (now) => {
      const part = isGliding ? clamp((now - start) / 420, 0, 1) : 1, ease = part * (2 - part);
      this.shown = centres.map((centre, k) => centre.map((value, c) => (isGliding ? from[k][c] + (value - from[k][c]) * ease : value)));
      this.paintCloud();
      if (part < 1) this.gliding = requestAnimationFrame(glide);
    };
    glide(start);
    this.curve.at(position);
    this.picture.refresh();
    return this.describe(position);
  }

  describe(position) {
    const { steps } = this.result, step = this.step, before = steps[position - 1];
    const text = [html("b", {}, `Iteration ${step.number} of ${steps.at(-1).number}.`), ` Objective ${short(step.objective / step.labels.values.length)} per pixel`];
    if (before) {
      const moved = step.labels.values.reduce((sum, label, i) => sum + (label !== before.labels.values[i] ? 1 : 0), 0) / step.labels.values.length;
      const way = step.centres.reduce((sum, centre, k) => sum + Math.hypot(...centre.map((value, c) => value - before.centres[k][c])), 0) / step.centres.length;
      text.push(` (${percent(1 - step.objective / before.objective)} below that of ${step.number - before.number === 1 ? "the iteration before" : `${step.number - before.number} iterations before`}). `,
        `Of the pixels ${percent(moved)} changed cluster; the centres moved by ${way.toFixed(2)} on average.`);
    } else text.push(": the first centres, and every pixel with the nearest of them.");
    if (position === steps.length - 1) text.push(this.result.settled
      ? " Hardly anything moves any more: a local minimum. Another seed may find another."
      : " Here the lesson stops counting; further iterations would still lower the objective.");
    this.say("caption", ...text);
    return this.part("caption").textContent;
  }

  writeNote() {
    const notes = { hue: "The same clusters on the photo.", mean: "Each pixel in the mean colour of its cluster.", photo: "Lines where one cluster ends and another begins." };
    this.say("picture-note", notes[this.part("paint").value]);
  }

  repaint() {
    this.writeNote();
    if (!this.result) return;
    this.layers = [];
    this.paintCloud();
    this.picture.refresh();
    this.photo.refresh();
  }

  paintCloud() {
    const { result, palette, player: { position } } = this, { values } = this.step.labels;
    const colours = this.part("paint").value === "photo" ? this.sampled : result.pixels.map((pixel) => palette[values[pixel]]);
    const trails = this.shown.map((centre, k) => [...result.steps.slice(0, position).map((step) => step.centres[k]), centre]);
    this.view.show(colours, this.shown, trails, palette);
  }

  // The clusters in their colours, or as lines on the photo.
  paintPicture(context, size) {
    if (!this.result) return;
    const { position } = this.player, pixels = this.palette.map((hex) => pixelOf(hex, 255)), isPhoto = this.part("paint").value === "photo";
    if (!this.layers[position]) this.layers[position] = isPhoto ? boundaryLayer(this.step.labels, pixelOf("#ffdc00", 220)) : labelLayer(this.step.labels, (label) => pixels[label]);
    if (isPhoto) drawLayer(context, this.result.image, size, { isSmooth: true });
    drawLayer(context, this.layers[position], size);
  }

  paintPhoto(context, size) {
    if (!this.result) return;
    drawLayer(context, this.result.image, size, { isSmooth: true });
    for (const [k, [u, v]] of this.places.entries()) drawDisc(context, u * size.width, v * size.height, 10, this.result.hues[k], String(k + 1));
  }

  addPlace(place) {
    if (!this.result || this.places.length >= Number(this.part("clusters").max)) return;
    this.places.push(place);
    this.updatePlaces();
  }

  updatePlaces() {
    const count = this.places.length;
    this.part("from-places").disabled = count < 2;
    this.part("clear").disabled = count === 0;
    this.part("from-places").textContent = count < 2 ? "Start from these centres" : `Start from these ${count} centres`;
    this.say("placed", count === 0 ? "Click on the photo where the first centres are to be (arrow keys and Enter work too)." :
      count === 1 ? "One centre placed; place at least one more." : `${plural(count, "centre")} placed: K = ${count}.`);
    this.photo.refresh();
  }
}
