// The objective of k-means over K, its elbow, and the pictures of all K.

const LAST = 12;  // the largest K that is tried

class ElbowLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    this.picture = new Board(this.part("picture"), (context, size) => this.layers && drawLayer(context, this.layers[this.chosen], size));
    this.curve = new Curve(this.part("curve"), (k) => this.choose(k), 260);
    this.part("space").addEventListener("change", () => this.result && this.request());
    this.part("use").addEventListener("click", () => this.use());
    root.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.result || !event.target.closest(".cl-strip")) return;
      event.preventDefault();
      this.choose(clamp(this.chosen + step, 0, this.layers.length - 1));
      this.part("strip").children[this.chosen].focus();
    });
  }

  question() { return { space: this.part("space").value }; }

  async decode(value) {
    const maps = await Promise.all(value.solutions.map(({ labels }) => unpack(labels)));
    return { ...value, maps };
  }

  receive(result) {
    this.result = result;
    this.layers = result.solutions.map(({ palette }, k) => {
      const pixels = palette.map((hex) => pixelOf(hex, 255));
      return labelLayer(result.maps[k], (label) => pixels[label]);
    });
    const { width, height } = result.maps[0], last = result.solutions.length;
    this.part("strip").replaceChildren(...this.layers.map((layer, k) => this.thumbnail(layer, k)));
    this.picture.shape(width, height);
    this.say("size", `The photo, at ${width} × ${height} pixels, in the mean colours of its K clusters.`);
    this.pixels = width * height;
    this.isPlain = result.solutions[0].objective / this.pixels < 1e-6;
    this.curve.load(result.solutions.map(({ objective }) => objective / this.pixels), {
      title: "objective Σ δᵢⱼ ‖xᵢ − cⱼ‖² per pixel", chord: !this.isPlain && last === LAST, left: "K = 1", right: last > 1 ? `K = ${last}` : "", fromZero: true, ticks: true,
      ...(this.isPlain ? {} : { mark: result.suggested - 1, markText: `elbow: K = ${result.suggested}` }),
    });
    this.choose(result.suggested - 1);
  }

  thumbnail(layer, k) {
    const button = html("button", { type: "button", "aria-label": `K = ${k + 1}` }, layer, `K = ${k + 1}`);
    button.addEventListener("click", () => this.choose(k));
    return button;
  }

  choose(k) {
    if (!this.result) return;
    this.chosen = k;
    const { solutions, suggested } = this.result, { objective } = solutions[k], explained = 1 - objective / (solutions[0].objective || 1);
    [...this.part("strip").children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === k)));
    const note = this.isPlain ? " The photo has a single colour: one cluster explains all of it." : k + 1 === suggested ? ` Of all K it lies farthest below the straight line from K = 1 to K = ${LAST}: further clusters gain less. An offer, no law.` : ` The elbow is at K = ${suggested}.`;
    this.say("caption", html("b", {}, `K = ${k + 1}: objective ${short(objective / this.pixels)} per pixel`), k && !this.isPlain ? `, ${percent(Math.max(explained, 0))} less than with one cluster.` : ".", note);
    this.part("use").textContent = `Watch k-means with K = ${k + 1}`;
    this.part("use").disabled = k < 1;
    this.curve.at(k);
    this.picture.refresh();
  }

  // The lesson "k-means step by step" is opened, takes this K and colour space and is brought into view.
  use(attempts = 40) {
    const box = document.getElementById("cloud-lesson"), root = box && box.querySelector(".cl"), isReady = root && root.lesson && root.offsetParent;
    if (!box || !attempts) return;
    if (!isReady) {
      if (attempts === 40) box.querySelector("button").click();
      setTimeout(() => this.use(attempts - 1), 50);
      return;
    }
    window.dispatchEvent(new CustomEvent("segdemo-clusters", { detail: { clusters: this.chosen + 1, space: this.result.space } }));
    box.scrollIntoView({ behavior: isStill() ? "auto" : "smooth" });
  }
}
