// What each branch of a network adds: a class's score taken apart, and the labels with and without a branch.

const WAYS = { running: "labels of the sum up to here", alone: "of the branch alone", without: "of all but the branch" };
const below = (text, ...index) => [text, html("sub", {}, ...index)];
const SKIPS = "The coarsest layer says what is there, the finer ones correct where it ends. The sum up to stride 32 is FCN-32s, that up to 16 is FCN-16s. In the paper the network is trained in that order, from high-level features towards low-level ones: the finer scores start at zero and are learned on top of the coarser network.";
const SILENCED = "What a branch adds is here what the score loses when it is silenced, its output set to zero; since branches stand in for each other, these do not sum to the whole.";
const STORIES = {
  "fcn-16s": { formula: () => ["score = up(", ...below("score", "32"), ") + ", ...below("score", "16"), ", each a 1 × 1 convolution of a layer; up: twice as large"], hint: SKIPS },
  "fcn-8s": { formula: () => ["score = up(up(", ...below("score", "32"), ") + ", ...below("score", "16"), ") + ", ...below("score", "8"), ", each a 1 × 1 convolution of a layer; up: twice as large"], hint: SKIPS },
  unet: {
    formula: () => ["map = convolutions(skip, up(map of the next coarser level)) at every level, beginning at the bottom: side by side, not summed"],
    hint: `The bottom has seen the most and knows what is there; each skip hands over whole maps of the way down, so that the way up knows where. ${SILENCED}`,
  },
  "deeplab-v2": {
    formula: () => ["score = ", ...below("Σ", "r"), " ", ...below("score", "r"), ", each begun by an atrous 3 × 3 convolution at rate r of the same map"],
    hint: "Atrous spatial pyramid pooling: every branch sees the same features, one cell in 8 pixels, with its taps r cells apart. Small rates answer to parts and small things, large ones to whole things and what surrounds them.",
    way: "alone",
  },
  "deeplab-v3plus": {
    formula: () => ["score = decoder(mix(1 × 1, atrous at each rate, image pooling), skip): branches are put side by side and mixed, not summed"],
    hint: `The pyramid sees the same map at several scales at once, the mean of the whole photo among them; the skip knows borders. ${SILENCED}`,
  },
  "segformer-b0": {
    formula: () => ["score = W · ReLU(", ...below("Σ", "s"), " ", ...below("W", "s"), " up(", ...below("stage", "s"), ")): every stage to one width and one size, then linear layers alone"],
    hint: `The decoder can be so light because the last stage has seen nearly the whole photo; the earlier ones know where things end. ${SILENCED}`,
  },
};

class BranchesLesson extends PixelLesson {
  constructor(root, ask) {
    super(root, ask);
    Object.assign(this, { way: "", chosenWay: "", columns: [] });
    this.part("network").addEventListener("change", () => {
      this.tellStory();
      if (this.result) this.request();
    });
    this.part("class").addEventListener("change", () => this.choose(this.number("class")));
    this.tellStory();
  }

  question() { return { network: this.part("network").value }; }

  tellStory() {
    const story = STORIES[this.part("network").value];
    if (!story) return;  // no network here
    this.say("formula", ...story.formula());
    this.say("hint", story.hint);
  }

  async decode(value) {
    const ways = Promise.all(Object.entries(value.ways).map(async ([way, maps]) => [way, await unpack(maps)])).then(Object.fromEntries);
    const [image, scores, labels, maps] = await Promise.all([loadImage(value.photo), unpack(value.scores), unpack(value.labels), ways]);
    return { ...value, image, scores: scores.values, labels, ways: maps, width: labels.width, height: labels.height };
  }

  receive(result) {
    const old = this.result && this.result.photo === result.photo && this.result.classes[this.chosen];
    this.result = result;
    const { classes, names, titles, width, height } = result;
    const select = this.part("class");
    select.disabled = false;
    select.replaceChildren(...classes.map((label, k) => html("option", { value: k }, names[label])));
    this.chosen = Math.max(classes.indexOf(old), 0);
    select.value = this.chosen;
    this.part("columns").replaceChildren();
    this.part("columns").style.setProperty("--across", titles.length + 1);
    this.columns = [...titles, "the whole"].map((title, number) => this.makeColumn(title, number));
    for (const { score, labels } of this.columns) { score.shape(width, height); labels.shape(width, height); }
    this.offerWays();
    this.choose(this.chosen);
    this.showLabels();
  }

  makeColumn(title, number) {
    const canvas = (kind, role, label) => html("canvas", { class: `cl-picture cl-pick cv-pixels`, role, "data-testid": `branches-${kind}-${number}`, "aria-label": label });
    const above = canvas("score", "application", `score, ${title}; arrow keys read it`), below = canvas("labels", "application", `labels, ${title}; arrow keys read it`), caption = html("figcaption");
    this.part("columns").append(html("figure", {}, html("h5", {}, title), above, below, caption));
    return {
      caption,
      score: this.pixelBoard(above, (context, size) => drawLayer(context, this.layers[number], size, { isSmooth: true })),
      labels: this.pixelBoard(below, (context, size) => this.paintLabels(number, context, size)),
    };
  }

  // The ways that the network has; the one that was chosen stays, if it can.
  offerWays() {
    const ways = Object.keys(WAYS).filter((way) => this.result.ways[way]);
    this.way = [this.chosenWay, STORIES[this.result.network].way, ways[0]].find((way) => ways.includes(way));
    this.part("ways").classList.toggle("cl-switch", ways.length > 1);
    if (ways.length === 1) { this.say("ways", html("b", {}, `labels ${WAYS[this.way]}`)); return; }
    const buttons = ways.map((way) => {
      const button = html("button", { type: "button", "aria-pressed": String(way === this.way) }, WAYS[way]);
      button.addEventListener("click", () => {
        this.way = this.chosenWay = way;
        buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        this.showLabels();
      });
      return button;
    });
    this.part("ways").replaceChildren(...buttons);
  }

  choose(chosen) {
    this.chosen = chosen;
    const { width, height, levels } = this.result, count = width * height;
    this.layers = this.columns.map((_, number) => {
      const first = this.first(number);
      return labelLayer({ width, height, values: this.result.scores.subarray(first, first + count) }, (level) => tint(2 * level / levels - 1));
    });
    for (const { score } of this.columns) score.refresh();
    const of = this.result.classes[chosen] ? "the class's score over background's" : "background's score over the mean of all others'";
    this.say("above", this.result.isSum ? `what each branch gives to ${of}` : `by how much ${of} falls without the branch`);
    this.describe();
  }

  // Where the plane of the chosen class begins, of a branch or, last, of the whole.
  first(number) { return (number * this.result.classes.length + this.chosen) * this.result.width * this.result.height; }
  scoreAt(number, at) { return (2 * this.result.scores[this.first(number) + at] / this.result.levels - 1) * this.result.top; }

  // The labels of column `number`; those of the whole network stand in the last.
  labelsOf(number) {
    const { ways, labels, titles } = this.result, count = labels.values.length;
    return number < titles.length ? ways[this.way].values.subarray(number * count, (number + 1) * count) : labels.values;
  }

  showLabels() {
    const { labels, palette, width, height } = this.result, inks = palette.map((hex, label) => (label ? pixelOf(hex, SHADE) : 0)), seen = new Set();
    this.columns.forEach(({ caption, labels: board }, number) => {
      const values = this.labelsOf(number), same = values.reduce((sum, label, i) => sum + (label === labels.values[i] ? 1 : 0), 0) / values.length;
      const areas = new Map();
      for (const label of values) areas.set(label, (areas.get(label) || 0) + 1);
      for (const [label, area] of areas) if (area >= 0.002 * values.length) seen.add(label);
      this.columns[number].paint = labelLayer({ width, height, values }, (label) => inks[label]);
      caption.replaceChildren(number < this.columns.length - 1 ? `${percent(same)} as the whole` : "all branches");
      board.refresh();
    });
    this.nameColours([...seen].sort((a, b) => a - b));
    this.describe();
  }

  read() {
    this.describe();
    for (const { score, labels } of this.columns) { score.refresh(); labels.refresh(); }
  }

  describe() {
    if (!this.columns.length) return;
    const { names, classes, titles, isSum, labels, width } = this.result, [x, y] = this.pixel(), at = y * width + x, last = titles.length;
    const parts = titles.map((title, k) => [title, this.scoreAt(k, at)]), whole = hundredths(this.scoreAt(last, at));
    const added = isSum ? addends(parts.map(([, value]) => value), this.scoreAt(last, at)) : [];
    const signed = (value, k) => `${value < 0 && k ? " − " : k ? " + " : ""}${k ? hundredths(Math.abs(value)) : hundredths(value)} (${titles[k]})`;
    const told = isSum ? `${added.map(signed).join("")} = ${whole}.` : `${whole} with all branches. Without ${parts.map(([title, value]) => `${title.replace(", ", " at ")}: ${hundredths(this.scoreAt(last, at) - value)}`).join(", ")}.`;
    this.say("caption", html("b", {}, `Score of ${names[classes[this.chosen]]} here: `), told, ` The whole network says ${names[labels.values[at]]} here. ${classes[this.chosen] ? "Above 0 the class beats background." : ""}`);
  }

  paintLabels(number, context, size) {
    drawLayer(context, this.result.image, size, { isSmooth: true });
    drawLayer(context, this.columns[number].paint, size);
  }
}
