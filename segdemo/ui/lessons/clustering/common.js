// What the clustering lessons share: asking and showing, a player, a curve, a picture to point at.

const svg = (name, attributes = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const html = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const plural = (count, word, words = `${word}s`) => `${count.toLocaleString("en")} ${count === 1 ? word : words}`;
const percent = (part) => (part > 0 && part < 0.0005 ? "less than 0.1 %" : part < 1 && part >= 0.9995 ? "more than 99.9 %" : `${(100 * part).toFixed(part < 0.0995 || (part >= 0.995 && part < 1) ? 1 : 0)} %`);
const short = (value) => Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 10 });
const lowered = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
const raised = (number) => String(number).replace(/[-\d]/g, (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]));

// Four decimals, or powers of ten for what would be lost in them; below 10⁻¹² is rounding.
function precise(value, digits = 1) {
  if (Math.abs(value) < 1e-12) return "0";
  const power = Math.floor(Math.log10(Math.abs(value)));
  return power >= -4 ? value.toFixed(4) : `${(value / 10 ** power).toFixed(digits)} · 10${raised(power)}`;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// A colour of the theme, for canvases.
const themed = (element, name) => getComputedStyle(element).getPropertyValue(name).trim() || "#888";

// A canvas of labels, each pixel in the 32-bit colour `colourOf(label)`.
function labelLayer({ width, height, values }, colourOf) {
  const canvas = blankCanvas(width, height);
  paintPixels(canvas, width, height, (i) => colourOf(values[i]));
  return canvas;
}

// A canvas of lines where the label changes, the rest clear.
function boundaryLayer(labels, pixel) {
  const edge = boundaries(labels, 1, true), canvas = blankCanvas(labels.width, labels.height);
  paintPixels(canvas, labels.width, labels.height, (i) => (edge[i] ? pixel : 0));
  return canvas;
}

// The image with only a part of its colour and of its light. (Safari's canvases have no filters.)
function toned(image, colour, light = 1) {
  const canvas = blankCanvas(image.naturalWidth, image.naturalHeight), context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const picture = context.getImageData(0, 0, canvas.width, canvas.height), { data } = picture;
  for (let i = 0; i < data.length; i += 4) {
    const grey = 0.2126 * data[i] + 0.7152 * data[i + 1] + 0.0722 * data[i + 2];
    for (let c = i; c < i + 3; c++) data[c] = light * (grey + colour * (data[c] - grey));
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}

function drawLayer(context, layer, { width, height }, options = {}) {
  context.save();
  context.imageSmoothingEnabled = Boolean(options.isSmooth);
  context.globalAlpha = options.alpha === undefined ? 1 : options.alpha;
  context.drawImage(layer, 0, 0, width, height);
  context.restore();
}

// A lesson asks the server with a button and its fields, and shows the answer, or says what was wrong.
// Parts are found by data-testid "NAME-part". Subclasses give question() and receive(answer).
class Lesson {
  constructor(root, ask) {
    Object.assign(this, { root, tell: ask, turn: 0, shows: 0 });
    this.name = root.dataset.testid;
    root.lesson = this;
    this.part("show").addEventListener("click", () => this.request());
    this.onPhoto = () => {
      if (!root.isConnected) return;
      this.part("error").hidden = true;  // it was about the photo before, or about there being none
      this.isOutdated = !this.part("busy").hidden;  // the answer under way will be about that photo
      if (root.dataset.state === "result" && this.part("stale")) this.part("stale").hidden = false;
    };
    window.addEventListener("segdemo-photo", this.onPhoto);
  }

  part(name) { return this.root.querySelector(`[data-testid="${this.name}-${name}"]`); }
  number(name) { return Number(this.part(name).value); }
  say(name, ...text) { this.part(name).replaceChildren(...text); }
  question() { return {}; }

  request(further = {}) {
    this.part("busy").hidden = this.isOutdated = false;
    this.turn += 1;
    this.tell({ ...this.question(), ...further, turn: this.turn });
  }

  // One request after the last of many changes in quick succession.
  requestSoon(further) {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.request(further), 180);
  }

  // Only the answer to the last question counts.
  async show(value) {
    if (!value || !value.state || value.turn !== this.turn) return;
    this.part("busy").hidden = true;
    this.part("error").hidden = value.state !== "error";
    this.part("error").textContent = value.message || "";
    if (value.state !== "result") return;
    const answer = await this.decode(JSON.parse(JSON.stringify(value)));  // Gradio's values are proxies, slow to read
    if (value.turn !== this.turn) return;
    if (this.part("stale")) this.part("stale").hidden = !this.isOutdated;
    this.part("body").hidden = false;
    this.receive(answer);
    this.root.dataset.state = "result";
    this.root.dataset.shows = this.shows += 1;
  }

  async decode(value) { return value; }
}

// What a page part calls when it is there: `mount` makes the lesson of that name and lets it follow the part's value.
const mounting = (lessons) => ({
  mount(name, root, props, watch, trigger) {
    const lesson = new lessons[name](root, (ask) => {
      props.value = { ask };
      trigger("input");
    });
    lesson.show(props.value);
    watch("value", () => lesson.show(props.value));
  },
});

const ICONS = {
  first: "M13 3.5v9L7 8zM4 3.5v9", back: "M10.5 3.5v9l-6-4.5z", play: "M5 3v10l8-5z", pause: "M5.5 3.5v9M10.5 3.5v9", next: "M5.5 3.5v9l6-4.5z", last: "M3 3.5v9L9 8zM12 3.5v9",
};
const icon = (name) => svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));

// Buttons and a slider over the positions 0..last; `go(position)` shows one. Built into `holder`.
class Player {
  constructor(holder, label, go, delay = 650) {
    Object.assign(this, { holder, go, delay, position: 0, last: 0, timer: 0 });
    const button = (name, title, act) => {
      const node = html("button", { type: "button", title, "aria-label": title, "data-act": name }, icon(name));
      node.addEventListener("click", act);
      return node;
    };
    this.slider = html("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": label });
    this.slider.addEventListener("input", () => this.move(Number(this.slider.value)));
    this.button = button("play", "play", () => (this.timer ? this.pause() : this.play()));
    holder.classList.add("cl-player");
    holder.replaceChildren(
      button("first", "to the start", () => this.move(0)), button("back", "one step back", () => this.move(this.position - 1)), this.button,
      button("next", "one step on", () => this.move(this.position + 1)), button("last", "to the end", () => this.move(this.last)), this.slider,
    );
  }

  // A new sequence; it begins at `position`.
  load(count, position = 0) {
    this.pause();
    this.last = count - 1;
    this.slider.max = this.last;
    this.move(position);
  }

  move(position) {
    this.pause();
    this.to(position);
  }

  to(position) {
    this.position = clamp(position, 0, this.last);
    this.slider.value = this.position;
    for (const [act, end] of [["first", 0], ["back", 0], ["next", this.last], ["last", this.last]]) {
      this.holder.querySelector(`[data-act=${act}]`).disabled = this.position === end;
    }
    this.slider.setAttribute("aria-valuetext", this.go(this.position) || String(this.position));
  }

  play() {
    if (this.position === this.last) this.to(0);
    const advance = () => {
      this.timer = 0;
      if (!this.holder.isConnected) return;
      this.to(this.position + 1);
      if (this.position === this.last) this.pause();
      else this.timer = setTimeout(advance, this.delay);
    };
    this.timer = setTimeout(advance, 150);
    this.mark("pause");
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.mark("play");
  }

  mark(name) {
    this.button.replaceChildren(icon(name));
    this.button.setAttribute("aria-label", name);
    this.button.title = name;
  }
}

// A line over the indices 0..n-1 with a marker that follows `at(index)`; pointing at it calls `pick(index)`.
class Curve {
  constructor(canvas, pick, height = 130) {
    Object.assign(this, { canvas, pick, height, values: [], index: 0, notes: {} });
    canvas.classList.add("cl-curve");
    canvas.style.height = `${height}px`;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    const follow = (event) => {
      const at = event.clientX - canvas.getBoundingClientRect().left, far = this.values.map((_, i) => Math.abs(this.x(i) - at));
      if (far.length) pick(far.indexOf(Math.min(...far)));
    };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); follow(event); });
    canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && follow(event));
  }

  // `notes`: title above, left and right below, mark (an index) with its text, shadow (further values, scaled by themselves),
  // fromZero (and filled down to there), ticks (a dot on every index), chord (a straight line from the first value to the last), places (where the values stand, if not one step from each other). The highest and the lowest value stand at the right and at the left.
  load(values, notes = {}) {
    Object.assign(this, { values, notes, index: this.index === null ? null : Math.min(this.index, values.length - 1) });
    this.redraw();
  }

  // null: at none of the values.
  at(index) {
    this.index = index;
    this.place();
  }

  x(index) {
    const { places } = this.notes, part = places ? (places[index] - places[0]) / (places.at(-1) - places[0] || 1) : index / Math.max(this.values.length - 1, 1);
    return 6 + (this.width - 12) * part;
  }

  y(value) { return this.floor - (this.floor - 26) * (value - this.low) / (this.high - this.low || 1); }
  points(values, y) { return values.map((value, i) => `${this.x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" "); }

  redraw() {
    this.width = this.canvas.clientWidth;
    if (!this.width || !this.values.length) return;
    const { values, notes } = this;
    this.floor = this.height - 22;
    this.low = notes.fromZero ? 0 : Math.min(...values);
    this.high = Math.max(...values);
    const line = this.points(values, (value) => this.y(value)), end = this.x(values.length - 1);
    const text = (x, y, anchor, content, name = "") => svg("text", { x, y, "text-anchor": anchor, class: name }, content || "");
    this.needle = svg("line", { class: "cl-needle", y1: 20, y2: this.floor });
    this.dot = svg("circle", { class: "cl-dot", r: 6 });
    this.canvas.replaceChildren(
      svg("line", { class: "cl-axis", x1: 6, x2: end, y1: this.floor, y2: this.floor }),
      ...(notes.fromZero ? [svg("polygon", { class: "cl-area", points: `6,${this.floor} ${line} ${end},${this.floor}` })] : []), ...this.shadow(),
      ...(notes.chord ? [svg("line", { class: "cl-chord", x1: 6, y1: this.y(values[0]), x2: end, y2: this.y(values.at(-1)) })] : []),
      svg("polyline", { class: "cl-line", points: line }), ...this.marked(text),
      ...(notes.ticks ? values.map((value, i) => svg("circle", { class: "cl-tick", cx: this.x(i), cy: this.y(value), r: 3.5 })) : []),
      text(6, 14, "start", notes.title, "cl-head"), text(6, this.height - 5, "start", notes.left), text(end, this.height - 5, "end", notes.right),
      ...(this.high > this.low ? [text(end, 34, "end", short(this.high)), text(6, this.floor - 5, "start", short(this.low))] : []),
      this.needle, this.dot,
    );
    this.separate();
    this.place();
  }

  // On a narrow screen the mark's text would run into the title: then it stands below the highest value.
  separate() {
    const [title, marked] = [".cl-head", ".cl-marked"].map((name) => this.canvas.querySelector(name));
    if (!marked || marked.getAttribute("y") !== "14") return;
    if (title.getBBox().x + title.getBBox().width > marked.getBBox().x - 6) marked.setAttribute("y", 54);
  }

  shadow() {
    const { shadow } = this.notes;
    if (!shadow) return [];
    const low = Math.min(...shadow), span = Math.max(...shadow) - low || 1;
    return [svg("polyline", { class: "cl-shadow", points: this.points(shadow, (value) => this.floor - (this.floor - 26) * (value - low) / span) })];
  }

  marked(text) {
    const { mark, markText } = this.notes;
    if (mark === undefined) return [];
    const x = this.x(mark), isLeft = x > this.width * 0.6;
    return [svg("line", { class: "cl-mark", x1: x, x2: x, y1: 20, y2: this.floor }), text(x + (isLeft ? -7 : 7), isLeft ? 14 : 34, isLeft ? "end" : "start", markText, "cl-marked")];  // right: over the highest value, left: under the title
  }

  place() {
    if (!this.needle || !this.values.length) return;
    const isSomewhere = this.index !== null, x = this.x(this.index);
    for (const part of [this.needle, this.dot]) part.setAttribute("visibility", isSomewhere ? "visible" : "hidden");
    if (!isSomewhere) return;
    this.needle.setAttribute("x1", x);
    this.needle.setAttribute("x2", x);
    this.dot.setAttribute("cx", x);
    this.dot.setAttribute("cy", this.y(this.values[this.index]));
  }
}

// A canvas as sharp as the screen, drawn by `paint(context, { width, height })` in CSS pixels. With `point(u, v, isMeant)`,
// u and v in [0, 1), it can be pointed at: isMeant is true for a press or Enter, null while dragging, false for hovering and arrow keys.
class Board {
  constructor(canvas, paint, point = null) {
    Object.assign(this, { canvas, paint, point, cross: null, waiting: 0 });
    new ResizeObserver(() => this.refresh()).observe(canvas);
    if (point) this.listen();
  }

  // As wide as there is room, but no taller than the style sheet's --tallest, or half as much again for an upright photo, whose lower end shall be on the screen as well.
  // A line beneath it is as wide, so that what stands at its end belongs to this picture.
  shape(width, height) {
    const { style, parentElement } = this.canvas, caption = parentElement.querySelector(":scope > figcaption");
    style.aspectRatio = `${width} / ${height}`;
    style.width = `min(100%, calc(min(var(--tallest) * ${clamp(height / width, 1, 1.5).toFixed(4)}, 78vh) * ${(width / height).toFixed(4)}))`;
    if (caption) caption.style.maxWidth = `max(220px, ${style.width})`;
    this.refresh();
  }

  refresh() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    const { canvas } = this, width = canvas.clientWidth, height = canvas.clientHeight, sharp = Math.min(window.devicePixelRatio || 1, 2);
    if (!width || !height) return;
    const across = Math.round(width * sharp), down = Math.round(height * sharp);
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    const context = canvas.getContext("2d");
    context.setTransform(across / width, 0, 0, down / height, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paint(context, { width, height });
    if (this.cross && document.activeElement === canvas) this.drawCross(context, this.cross[0] * width, this.cross[1] * height);
  }

  drawCross(context, x, y) {
    for (const [colour, thickness] of [["#000", 5], ["#fff", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = thickness;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { context.moveTo(x + 4 * dx, y + 4 * dy); context.lineTo(x + 12 * dx, y + 12 * dy); }
      context.stroke();
    }
  }

  listen() {
    const { canvas } = this;
    const tell = (event, isMeant) => {
      const box = canvas.getBoundingClientRect();
      this.cross = null;
      this.point(clamp((event.clientX - box.left) / box.width, 0, 0.9999), clamp((event.clientY - box.top) / box.height, 0, 0.9999), isMeant);
    };
    canvas.tabIndex = 0;
    canvas.addEventListener("pointerdown", (event) => event.button === 0 && tell(event, true));
    canvas.addEventListener("pointermove", (event) => tell(event, event.buttons === 1 ? null : false));
    canvas.addEventListener("blur", () => this.refresh());
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }, step = steps[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(step || event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    const by = event.shiftKey ? 0.1 : 0.02;
    this.cross = (this.cross || [0.5, 0.5]).map((at, axis) => clamp(at + (step ? step[axis] * by : 0), 0, 0.9999));
    this.point(...this.cross, !step);
    this.refresh();
  }
}

// A Board whose arrow keys move the chosen pixel itself: one pixel, ten with Shift.
class PixelBoard extends Board {
  constructor(canvas, paint, point, move) {
    super(canvas, paint, point);
    this.move = move;
  }

  onKey(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.move(...step.map((by) => by * (event.shiftKey ? 10 : 1)));
  }
}
