// The scribble pad: strokes are kept as lines in photo coordinates (0..1), drawn here and
// turned into seeds by the server. Only the strokes travel, never the picture.

class ScribblePad {
  constructor(root, brushes, tell) {
    this.root = root;
    this.brushes = brushes;
    this.tell = tell;
    this.strokes = [];
    this.undone = [];
    this.current = null;
    this.photo = null;
    this.canvas = this.part("pad-canvas");
    root.scribblePad = this;
    this.makeBrushes();
    this.listen();
    this.choose(1);
    this.refresh();
  }

  part(name) { return this.root.querySelector(`[data-testid="${name}"]`); }

  makeBrushes() {
    const brushes = [...this.brushes, { label: 0, name: "Eraser", colour: "" }];
    this.part("brushes").replaceChildren(...brushes.map(({ label, name, colour }) => {
      const button = document.createElement("button"), swatch = document.createElement("span");
      button.type = "button";
      button.dataset.label = label;
      swatch.className = "pad-swatch";
      swatch.style.background = colour || "linear-gradient(135deg, #fff 45%, #d33 46%, #d33 54%, #fff 55%)";
      button.append(swatch, name);
      button.addEventListener("click", () => this.choose(label));
      return button;
    }));
  }

  choose(label) {
    this.label = label;
    for (const button of this.part("brushes").children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.label) === label));
    }
  }

  // A new photo arrives: scribbles on another photo mean nothing, so they go.
  async show(photo) {
    if (!photo || !photo.url) {
      this.photo = null;
      this.root.dataset.state = "empty";
      return;
    }
    if (this.key === photo.key) return;
    const image = new Image();
    image.src = photo.url;
    await image.decode();
    this.key = photo.key;
    this.photo = image;
    this.canvas.width = image.naturalWidth;
    this.canvas.height = image.naturalHeight;
    this.root.dataset.state = "ready";
    this.strokes = [];
    this.undone = [];
    this.publish();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.extend(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.end());
    this.part("undo").addEventListener("click", () => this.undo());
    this.part("redo").addEventListener("click", () => this.redo());
    this.part("clear").addEventListener("click", () => this.clear());
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey, size = this.part("size");
    const actions = command
      ? { z: () => (event.shiftKey ? this.redo() : this.undo()), y: () => this.redo() }
      : {
        e: () => this.choose(0),
        "[": () => { size.value = Number(size.value) - 4; },
        "]": () => { size.value = Number(size.value) + 4; },
      };
    for (const { label } of this.brushes) if (!command) actions[label] = () => this.choose(label);
    if (!actions[key] || (event.target.matches("input") && !command)) return;
    event.preventDefault();
    actions[key]();
  }

  // Where on the photo the pointer is: the canvas is letterboxed inside its element.
  locate(event) {
    const box = this.canvas.getBoundingClientRect(), { width, height } = this.canvas;
    const scale = Math.min(box.width / width, box.height / height);
    const x = (event.clientX - box.left - (box.width - width * scale) / 2) / (width * scale);
    const y = (event.clientY - box.top - (box.height - height * scale) / 2) / (height * scale);
    return { point: [Math.round(x * 1e4) / 1e4, Math.round(y * 1e4) / 1e4], scale };
  }

  begin(event) {
    if (!this.photo || event.button > 0) return;
    event.preventDefault();
    this.root.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const { point, scale } = this.locate(event);
    // The brush keeps its size on the screen; stored relative to the photo's long side.
    const size = Number(this.part("size").value) / scale / Math.max(this.canvas.width, this.canvas.height);
    this.current = { label: this.label, size: Math.round(size * 1e5) / 1e5, points: [point] };
    this.paint();
  }

  extend(event) {
    if (!this.current) return;
    for (const step of event.getCoalescedEvents ? event.getCoalescedEvents() : [event]) {
      const { point } = this.locate(step), last = this.current.points.at(-1);
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) > 0.002) this.current.points.push(point);
    }
    this.paint();
  }

  end() {
    if (!this.current) return;
    this.strokes.push(this.current);
    this.current = null;
    this.undone = [];
    this.publish();
  }

  undo() { if (this.strokes.length) { this.undone.push(this.strokes.pop()); this.publish(); } }
  redo() { if (this.undone.length) { this.strokes.push(this.undone.pop()); this.publish(); } }
  clear() { if (this.strokes.length) { this.undone = this.strokes.reverse(); this.strokes = []; this.publish(); } }

  publish() {
    this.refresh();
    this.tell({ key: this.key, strokes: this.strokes });
  }

  refresh() {
    this.part("undo").disabled = this.part("clear").disabled = this.strokes.length === 0;
    this.part("redo").disabled = this.undone.length === 0;
    this.root.dataset.strokes = this.strokes.length;
    this.paint();
  }

  paint() {
    if (!this.photo) return;
    const context = this.canvas.getContext("2d");
    context.drawImage(this.photo, 0, 0);
    context.drawImage(this.layer(), 0, 0);
  }

  // Strokes on a layer of their own, so that the eraser removes strokes and not the photo.
  layer() {
    const { width, height } = this.canvas;
    this.sheet = this.sheet || document.createElement("canvas");
    this.sheet.width = width;
    this.sheet.height = height;
    const context = this.sheet.getContext("2d");
    context.lineCap = context.lineJoin = "round";
    for (const { label, size, points } of this.current ? [...this.strokes, this.current] : this.strokes) {
      const brush = this.brushes.find((entry) => entry.label === label);
      context.globalCompositeOperation = brush ? "source-over" : "destination-out";
      context.strokeStyle = brush ? brush.colour : "#000";
      context.lineWidth = Math.max(1, size * Math.max(width, height));
      context.beginPath();
      context.moveTo(points[0][0] * width, points[0][1] * height);
      for (const [x, y] of points.length > 1 ? points.slice(1) : points) context.lineTo(x * width, y * height);
      context.stroke();
    }
    return this.sheet;
  }
}

window.segdemoScribblePad = {
  mount(element, props, watch, trigger, brushes) {
    const pad = new ScribblePad(element.querySelector(".pad"), brushes, (value) => {
      props.value = value;
      trigger("input");
    });
    pad.show(props.photo);
    watch("photo", () => pad.show(props.photo));
  },
};
