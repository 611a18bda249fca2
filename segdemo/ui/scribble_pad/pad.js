// The scribble pad: strokes are kept as lines in photo coordinates (0..1), drawn here and
// turned into seeds by the server. Only the strokes travel, never the picture.

const SMALLEST_BOX = 6;  // CSS pixels along a side; what is smaller was a click
const STEP = 1.5;  // CSS pixels between two points of a stroke
const COMMITTED_MS = 250;  // a stroke this long is meant: a second finger no longer turns it into a pinch
const WHEEL_PAUSE_MS = 350;
const ERASER_WIDTH = 1.6;  // brushes
const ERASER = { label: 0, name: "Eraser", colour: "linear-gradient(135deg, #fff 43%, #d33 44%, #d33 56%, #fff 57%)" };

// A wheel turn that began as scrolling of the page stays with the page.
let lastPageWheel = 0;
document.addEventListener("wheel", (event) => {
  if (!event.target.closest || !event.target.closest(".pad-stage")) lastPageWheel = event.timeStamp;
}, { passive: true, capture: true });

const inPhoto = (part) => Math.min(Math.max(part, 0), 1);

class ScribblePad {
  constructor(root, methods, tell, server) {
    Object.assign(this, { root, methods, tell, server, history: new History(), pointers: new Map() });
    this.all = Object.values(methods).map((method) => method.brushes).sort((a, b) => b.length - a.length)[0];
    this.current = this.gesture = this.photo = null;
    this.view = new View(this.part("stage"), this.part("pad-canvas"), () => this.repaint());
    root.scribblePad = this;
    this.keyboard = new Keyboard(this);
    this.useMethod(Object.keys(methods)[0]);
    this.listenToPointers();
    this.listenToButtons();
  }

  part(name) { return this.root.querySelector(`[data-testid="${name}"]`); }
  get strokes() { return this.history.state; }

  // --- brushes -----------------------------------------------------------------------------

  useMethod(name) {
    this.method = this.methods[name] || Object.values(this.methods)[0];
    this.brushes = this.method.brushes;
    this.part("brushes").replaceChildren(...[...this.brushes, ERASER].map(({ label, name, colour }) => {
      const button = document.createElement("button"), swatch = document.createElement("span");
      button.type = "button";
      button.dataset.label = label;
      button.title = `${name} (${label || "E"})`;
      swatch.className = "pad-swatch";
      swatch.style.background = colour;
      button.append(swatch, name);
      button.addEventListener("click", () => this.choose(label));
      return button;
    }));
    this.painter = new Painter(this.brushes, this.all);
    this.choose(this.brushOf(this.label) ? this.label : 1);
    this.refresh();
  }

  brushOf(label) { return this.brushes.find((brush) => brush.label === label); }

  choose(label) {
    this.label = label;
    this.takeBox(false);
    for (const button of this.part("brushes").children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.label) === label));
    }
    const brush = this.brushOf(label);
    this.part("ring").style.color = brush ? brush.colour : "#fff";
  }

  // What all outside a box becomes: the background where there is one, else the brush that is chosen.
  get boxLabel() { return this.brushes.length === 2 ? 2 : this.label || 1; }
  get isBox() { return this.part("box").getAttribute("aria-pressed") === "true"; }

  takeBox(isBox = !this.isBox) {
    if (isBox && !this.label) this.choose(this.brushes[0].label);  // the eraser draws no box
    this.part("box").setAttribute("aria-pressed", String(isBox));
    this.part("box-means").textContent = this.brushOf(this.boxLabel).name.toLowerCase();
    if (!isBox) return;
    this.takeHand(false);
    this.part("ring").hidden = true;
  }

  // Labels drawn that this method does not know.
  get ignored() {
    const drawn = new Set(this.strokes.flatMap(({ label, runs }) => (runs ? runs.filter((_, i) => i % 2 === 0) : [label])));
    return [...drawn].filter((label) => label && !this.brushOf(label)).sort();
  }

  // --- photo -------------------------------------------------------------------------------

  // A new photo arrives. Scribbles on another photo mean nothing on it; its own of an earlier visit come back.
  async show(photo) {
    if (!photo || !photo.url) return this.empty();
    if (this.photo && this.photo.key === photo.key) return;
    const image = new Image();
    image.src = photo.url;
    this.awaited = photo.key;
    await image.decode();
    if (this.awaited !== photo.key) return;  // overtaken
    this.photo = { key: photo.key, width: photo.width, height: photo.height };
    this.root.dataset.state = "ready";
    this.view.lay(image);
    this.current = null;
    this.keyboard.begin();
    this.history.begin(recall(photo.key));
    this.say(this.strokes.length ? "Your earlier scribbles on this photo are back; Clear removes them." : "");
    this.publish();
  }

  // No photo: nothing to draw on, nothing to undo. Its strokes are remembered and come back with it.
  empty() {
    const isNews = this.photo !== null;
    this.photo = this.awaited = this.current = null;
    this.keyboard.begin();
    this.history.begin([]);
    this.view.lay(null);
    this.root.dataset.state = "empty";
    this.say("");
    this.refresh();
    if (isNews) this.tell({ key: "", strokes: [] });
  }

  // --- strokes -----------------------------------------------------------------------------

  change(strokes) {
    this.history.add(strokes);
    this.say("");
    this.publish();
  }

  undo() { if (this.history.undo()) this.publish(); }
  redo() { if (this.history.redo()) this.publish(); }
  clear() { if (this.strokes.length) this.change([]); }

  publish() {
    this.refresh();
    remember(this.photo.key, this.strokes);
    this.tell({ key: this.photo.key, strokes: this.strokes });
  }

  refresh() {
    const { canUndo, canRedo } = this.history, count = this.strokes.length;
    this.part("undo").disabled = !canUndo;
    this.part("redo").disabled = !canRedo;
    for (const name of ["clear", "save-png", "save-strokes"]) this.part(name).disabled = !count;
    this.root.dataset.strokes = count;
    const names = this.ignored.map((label) => (this.all.find((brush) => brush.label === label) || { name: label }).name);
    this.part("ignored").hidden = !names.length;
    this.part("ignored").textContent = names.length ? `${this.method.title} knows ${this.brushes.length} brushes: strokes of ` +
      `${names.join(", ")} are kept, drawn faintly, and left out of its seeds.` : "";
    this.repaint();
  }

  say(text, isError = false) {
    for (const [name, wanted] of [["note", !isError], ["error", isError]]) {
      this.part(name).textContent = wanted ? text : "";
      this.part(name).hidden = !(wanted && text);
    }
  }

  // --- drawing -----------------------------------------------------------------------------

  repaint() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      if (!this.photo) return;
      this.keyboard.place();
      this.part("zoom-reset").textContent = `${Math.round(100 * this.view.zoom)} %`;
      this.view.paint((context, width, height) => {
        for (const stroke of this.current ? [...this.strokes, this.current] : this.strokes) {
          this.painter.paint(context, stroke, width, height);
        }
      });
    });
  }

  // --- pointers: one draws, two fingers or the hand move and zoom --------------------------

  listenToPointers() {
    const { canvas } = this.view;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => { this.part("ring").hidden = true; });
    canvas.addEventListener("contextmenu", (event) => this.current && event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
  }

  press(event) {
    const isEraser = event.pointerType === "pen" && (event.button === 5 || event.buttons & 32);
    if (!this.photo || event.button === 2) return;
    if (event.pointerType === "touch" && [...this.pointers.values()].some((other) => other.type === "pen")) return;  // the palm
    event.preventDefault();
    this.keyboard.lift();
    this.view.canvas.focus({ preventScroll: true });
    this.keyboard.use(false);
    this.view.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { ...this.view.at(event), type: event.pointerType });
    if (this.pointers.size > 1) {
      if (this.gesture === "draw" && performance.now() - this.began < COMMITTED_MS) this.current = null;
      if (!this.current) this.gesture = "pinch";
      this.repaint();
    } else if (event.button === 1 || this.isHand) this.gesture = "pan";
    else this.begin(event, isEraser ? 0 : this.label);
  }

  begin(event, label) {
    this.gesture = "draw";
    this.drawing = event.pointerId;
    this.began = performance.now();
    this.beginAt(this.view.toPhoto(this.view.at(event)), label);
  }

  // In CSS pixels. The eraser is wider than the brush: along a stroke by hand it would else leave slivers that are seeds.
  widthOf(label) { return Number(this.part("size").value) * (label ? 1 : ERASER_WIDTH); }

  // The three acts of a stroke, by whatever hand: begin at a point of the photo, extend to others, finish.
  beginAt(point, label) {
    // The brush keeps its size on the screen; stored relative to the photo's long side.
    const { width, height } = this.view.place, size = this.widthOf(label) / Math.max(width, height);
    this.keyboard.at = point.map(inPhoto);
    if (this.isBox && label) this.current = { label: this.boxLabel, box: [...point, ...point].map(inPhoto), from: point.map(inPhoto) };
    else this.current = { label, size: Math.round(size * 1e5) / 1e5, points: [point] };
    this.repaint();
  }

  move(event) {
    const before = this.pointers.get(event.pointerId), point = this.view.at(event);
    this.showRing(event, point);
    if (!before) return;
    if (this.gesture === "draw") {
      if (this.current && event.pointerId === this.drawing) this.extend(event);
    } else if (this.gesture === "pan") this.view.panBy(point.x - before.x, point.y - before.y);
    else if (this.gesture === "pinch" && this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const spread = (place) => Math.hypot(place.x - other.x, place.y - other.y) || 1;
      this.view.zoomAt(spread(point) / spread(before), (point.x + other.x) / 2, (point.y + other.y) / 2);
      this.view.panBy((point.x - before.x) / 2, (point.y - before.y) / 2);
    }
    this.pointers.set(event.pointerId, { ...before, ...point });
  }

  extend(event) {
    const steps = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const step of steps.length ? steps : [event]) this.extendTo(this.view.toPhoto(this.view.at(step)));
  }

  extendTo([x, y]) {
    if (this.current.box) return this.extendBox([x, y]);
    const { width, height } = this.view.place, { points } = this.current, [lastX, lastY] = points.at(-1);
    if (Math.hypot((x - lastX) * width, (y - lastY) * height) >= STEP) points.push([x, y]);
    this.repaint();
  }

  extendBox(point) {
    const [x0, y0] = this.current.from, [x1, y1] = point.map(inPhoto);
    this.current.box = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
    this.repaint();
  }

  // One box per label: a new one takes the place of the old one.
  finishBox({ label, box: [left, top, right, bottom] }) {
    const { width, height } = this.view.place;
    if ((right - left) * width < SMALLEST_BOX || (bottom - top) * height < SMALLEST_BOX) return this.repaint();
    this.change([...this.strokes.filter((stroke) => !(stroke.box && stroke.label === label)), { label, box: [left, top, right, bottom] }]);
    this.choose(this.brushes.length === 2 ? 1 : label);  // what is missed is touched up next
  }

  release(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (event.pointerId === this.drawing) this.finish();
    if (!this.pointers.size) this.gesture = null;
  }

  finish() {
    const stroke = this.current;
    this.current = null;
    if (!stroke) return;
    if (stroke.box) this.finishBox(stroke);
    else if (this.touchesPhoto(stroke)) this.change([...this.strokes, stroke]);
    else this.repaint();
  }

  touchesPhoto({ points, size }) {
    const { width, height } = this.view.place, reach = size * Math.max(width, height) / 2;
    const isNear = (at, side) => at * side > -reach && at * side < side + reach;
    return points.some(([x, y]) => isNear(x, width) && isNear(y, height));
  }

  abandon() {
    this.current = null;
    this.repaint();
  }

  showRing(event, { x, y }) {
    this.keyboard.use(this.keyboard.isDown);
    const ring = this.part("ring"), size = `${this.widthOf(this.label)}px`;
    ring.hidden = event.pointerType === "touch" || this.isHand || this.isBox || this.gesture === "pan" || !this.photo;
    Object.assign(ring.style, { width: size, height: size, left: `${x}px`, top: `${y}px` });
  }

  onWheel(event) {
    const belongsToPage = event.timeStamp - lastPageWheel < WHEEL_PAUSE_MS && !event.ctrlKey;
    if (!this.photo || belongsToPage || (this.view.zoom === 1 && event.deltaY > 0 && !event.ctrlKey)) {
      lastPageWheel = event.timeStamp;
      return;
    }
    event.preventDefault();
    const { x, y } = this.view.at(event), turned = event.deltaY * (event.deltaMode === 1 ? 16 : 1);  // lines to pixels
    const speed = event.ctrlKey ? 0.01 : 0.0025;  // with ctrl it is a pinch on a touch pad
    this.view.zoomAt(Math.exp(-Math.max(-120, Math.min(120, turned)) * speed), x, y);
  }

  // --- buttons, keys, files ----------------------------------------------------------------

  get isHand() { return this.part("hand").getAttribute("aria-pressed") === "true"; }

  takeHand(isHand = !this.isHand) {
    this.part("hand").setAttribute("aria-pressed", String(isHand));
    this.part("ring").hidden = true;
  }

  resize(by) {
    const size = this.part("size");
    size.value = Number(size.value) + by;
  }

  listenToButtons() {
    const actions = {
      undo: () => this.undo(), redo: () => this.redo(), clear: () => this.clear(), box: () => this.takeBox(), hand: () => this.takeHand(),
      "zoom-in": () => this.view.zoomAt(1.5), "zoom-out": () => this.view.zoomAt(1 / 1.5), "zoom-reset": () => this.view.reset(),
      "save-png": () => this.savePng(), "save-strokes": () => this.saveStrokes(), load: () => this.part("file").click(),
    };
    for (const [name, act] of Object.entries(actions)) this.part(name).addEventListener("click", act);
    this.part("file").addEventListener("change", () => this.load(this.part("file").files[0]));
  }

  saveStrokes() {
    const blob = new Blob([strokesAsText(this.photo, this.strokes)], { type: "application/json" });
    const address = URL.createObjectURL(blob);
    offer("scribbles.json", address);
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  async savePng() {
    const colours = this.all.map(({ label, colour }) => (this.brushOf(label) || { colour }).colour);
    const { width, height } = this.photo, value = { strokes: this.strokes };
    const answer = await this.ask("save_map", { value, width, height, colours });
    if (answer.error) this.say(answer.error, true);
    else offer("scribbles.png", `data:image/png;base64,${answer.png}`);
  }

  // Strokes or a label map take the place of what is drawn; Undo brings that back. A wrong file changes nothing.
  async load(file) {
    this.part("file").value = "";  // so that the same file can be chosen again
    if (!file) return;
    if (!this.photo) return this.say("Choose the photo first, then load its scribbles.", true);
    const { key, width, height } = this.photo;
    try {
      if (file.size > MAX_FILE) throw new Error("This file is larger than 30 MB: load scribbles that were saved here.");
      const isText = /json|text/.test(file.type) || /\.(json|txt)$/i.test(file.name);
      const found = isText ? strokesFromText(await file.text())
        : await this.ask("load_map", { file: await asBase64(file), width, height });
      if (found.error) throw new Error(found.error);
      if (!this.photo || this.photo.key !== key) return;
      this.change(isText ? found.strokes : [found]);
      const isOther = isText && found.photo && found.photo !== key;
      this.say(`Loaded ${file.name}${isOther ? ", which was drawn on another photo" : ""}. Undo brings back what was here.`);
    } catch (error) {
      this.say(error.message, true);
    }
  }

  async ask(name, question) {
    try {
      return await this.server[name](question);
    } catch {
      return { error: "The server did not answer: check that it is running and try again. Your scribbles are still here." };
    }
  }
}

window.segdemoScribblePad = {
  mount(element, props, watch, trigger, server, methods) {
    const pad = new ScribblePad(element.querySelector(".pad"), methods, (value) => {
      props.value = JSON.stringify(value);  // text: Gradio's script walks through objects, point by point, again and again
      trigger("input");
    }, server);
    pad.useMethod(props.method);
    pad.show(props.photo);
    watch("photo", () => pad.show(props.photo));
    watch("method", () => pad.useMethod(props.method));
  },
};
