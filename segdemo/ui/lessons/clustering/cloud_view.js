// A cloud of points in a colour space, to turn by mouse, finger and arrow keys: canvas 2D, orthographic, far points first.

const START = { yaw: -0.6, pitch: 0.38, zoom: 1 };
// Horizontal, depth and vertical axis of each space: index into a position, range, name.
const SPACES = {
  Lab: [{ of: 1, from: -60, to: 60, name: "a*: green → red" }, { of: 2, from: -60, to: 60, name: "b*: blue → yellow" }, { of: 0, from: 0, to: 100, name: "L*: lightness" }],
  RGB: [{ of: 0, from: 0, to: 100, name: "red" }, { of: 2, from: 0, to: 100, name: "blue" }, { of: 1, from: 0, to: 100, name: "green" }],
  HSV: [{ of: 0, from: -100, to: 100, name: "V·S·cos H: cyan → red" }, { of: 1, from: -100, to: 100, name: "V·S·sin H: violet → yellow-green" }, { of: 2, from: 0, to: 100, name: "V: black → bright" }],
};
// What a distance in each space means.
const SPACE_NOTES = {
  Lab: "In Lab, distances come close to the differences that people see.",
  RGB: "In RGB, distances are those of the photo's own numbers.",
  HSV: "HSV as a cone: the hue H, an angle, runs round the vertical axis, the saturation S leads away from it, and black is the tip.",
};

class CloudView {
  constructor(canvas) {
    Object.assign(this, { canvas, ...START, points: null, centres: [], trails: [], colours: [], pointers: new Map() });
    this.board = new Board(canvas, (context, size) => this.paint(context, size));
    canvas.tabIndex = 0;
    canvas.addEventListener("pointerdown", (event) => this.grab(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("dblclick", () => this.turn(START));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  // `positions` is [[x, y, z], ...] in the colour space; the axes shrink to what the photo has.
  load(positions, space) {
    this.axes = SPACES[space].map((axis) => this.fitted(axis, positions));
    const middle = this.axes.map(({ from, to }) => (from + to) / 2), half = Math.max(...this.axes.map(({ from, to }) => to - from)) / 2;
    this.place = (position) => this.axes.map((axis, k) => (position[axis.of] - middle[k]) / half);
    this.corner = this.axes.map(({ from, to }) => (to - from) / 2 / half);
    this.points = Float32Array.from(positions.flatMap((position) => this.place(position)));
    this.count = positions.length;
    this.order = Uint32Array.from({ length: this.count }, (_, i) => i);
    this.board.refresh();
  }

  fitted(axis, positions) {
    const values = positions.map((position) => position[axis.of]);
    const low = Math.floor(values.reduce((a, b) => Math.min(a, b)) / 10) * 10, high = Math.ceil(values.reduce((a, b) => Math.max(a, b)) / 10) * 10;
    return { ...axis, from: Math.min(low, high - 20), to: high };
  }

  // `colours` a CSS colour per point, `centres` and `trails` in the colour space, `marks` a CSS colour per centre.
  show(colours, centres, trails, marks) {
    Object.assign(this, { colours, centres, trails, marks });
    this.board.refresh();
  }

  turn({ yaw = this.yaw, pitch = this.pitch, zoom = this.zoom }) {
    Object.assign(this, { yaw, pitch: clamp(pitch, -1.5, 1.5), zoom: clamp(zoom, 0.5, 4) });
    this.board.refresh();
  }

  grab(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place), now = [event.clientX, event.clientY];
    this.pointers.set(event.pointerId, now);
    if (others.length) {
      const apart = (place) => Math.hypot(place[0] - others[0][0], place[1] - others[0][1]);
      return this.turn({ zoom: this.zoom * apart(now) / Math.max(apart(before), 1) });
    }
    return this.turn({ yaw: this.yaw + (now[0] - before[0]) * 0.01, pitch: this.pitch + (now[1] - before[1]) * 0.01 });
  }

  onKey(event) {
    const by = event.shiftKey ? 0.4 : 0.1;
    const keys = {
      ArrowLeft: { yaw: this.yaw - by }, ArrowRight: { yaw: this.yaw + by }, ArrowUp: { pitch: this.pitch - by }, ArrowDown: { pitch: this.pitch + by },
      "+": { zoom: this.zoom * 1.15 }, "=": { zoom: this.zoom * 1.15 }, "-": { zoom: this.zoom / 1.15 }, 0: START,
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.turn(keys[event.key]);
  }

  // From the unit cube to the canvas: [x, y, nearness]. Turned about the vertical axis, then tilted towards the viewer.
  project([x, y, z]) {
    const { cosYaw, sinYaw, cosPitch, sinPitch, scale, middle } = this, across = x * cosYaw - y * sinYaw, away = x * sinYaw + y * cosYaw;
    return [middle[0] + scale * across, middle[1] - scale * (z * cosPitch + away * sinPitch), z * sinPitch - away * cosPitch];
  }

  paint(context, { width, height }) {
    if (!this.points) return;
    [this.cosYaw, this.sinYaw, this.cosPitch, this.sinPitch] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    this.middle = [width / 2, height / 2];
    this.scale = 0.46 * Math.min(width, height) / Math.hypot(...this.corner) * this.zoom;
    this.paintBox(context);
    this.paintPoints(context, Math.max(1.6, Math.min(width, height) / 190) * Math.sqrt(this.zoom));
    this.paintTrails(context);
    this.paintCentres(context);
  }

  paintPoints(context, size) {
    const { points, count, order } = this, places = new Float32Array(3 * count);
    for (let i = 0; i < count; i++) places.set(this.project([points[3 * i], points[3 * i + 1], points[3 * i + 2]]), 3 * i);
    order.sort((i, j) => places[3 * i + 2] - places[3 * j + 2]);
    for (const i of order) {
      const side = size * (1 + 0.3 * places[3 * i + 2]);
      context.fillStyle = this.colours[i];
      context.fillRect(places[3 * i] - side / 2, places[3 * i + 1] - side / 2, side, side);
    }
  }

  // The box around the cloud, with a name on one edge along each axis: the edge that lies lowest on the canvas, or leftmost.
  paintBox(context) {
    const ink = themed(this.canvas, "--body-text-color-subdued"), line = themed(this.canvas, "--border-color-primary");
    context.font = `600 ${this.canvas.clientWidth < 420 ? 12 : 14}px system-ui, sans-serif`;
    context.lineWidth = 1;
    for (const [k, axis] of this.axes.entries()) {
      const others = [0, 1, 2].filter((other) => other !== k), edges = [];
      for (const signs of [[-1, -1], [-1, 1], [1, -1], [1, 1]]) {
        const from = [0, 0, 0], to = [0, 0, 0];
        [from[k], to[k]] = [-this.corner[k], this.corner[k]];
        others.forEach((other, i) => { from[other] = to[other] = signs[i] * this.corner[other]; });
        edges.push([this.project(from), this.project(to)]);
      }
      context.strokeStyle = line;
      for (const [from, to] of edges) this.stroke(context, [from, to]);
      const [from, to] = edges.reduce((best, edge) => (this.outside(edge, k) > this.outside(best, k) ? edge : best));
      context.strokeStyle = context.fillStyle = ink;
      this.stroke(context, [from, to]);
      this.writeAlong(context, axis.name, from, to, k);
    }
  }

  outside([from, to], k) { return k === 2 ? -(from[0] + to[0]) : from[1] + to[1]; }

  // Along its edge, never upside down, on the side away from the middle.
  writeAlong(context, name, from, to, k) {
    let angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    if (Math.abs(angle) > Math.PI / 2 + 0.01) angle += Math.PI;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]), text = context.measureText(name).width > 0.9 * length ? name.split(":")[0] : name;
    if (length < 30) return;
    context.save();
    context.translate((from[0] + to[0]) / 2, (from[1] + to[1]) / 2);
    context.rotate(angle);
    context.textAlign = "center";
    context.fillText(text, 0, k === 2 && this.isLeftUpwards(angle) ? -8 : 18);
    context.restore();
  }

  isLeftUpwards(angle) { return Math.cos(angle + Math.PI / 2) > 0; }

  stroke(context, places) {
    context.beginPath();
    places.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }

  paintTrails(context) {
    context.lineJoin = context.lineCap = "round";
    for (const [k, trail] of this.trails.entries()) {
      const places = trail.map((position) => this.project(this.place(position)));
      for (const [colour, thickness] of [["rgba(0,0,0,.75)", 5], ["#fff", 3.4], [this.marks[k], 2.2]]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
        this.stroke(context, places);
      }
    }
  }

  paintCentres(context) {
    const places = this.centres.map((centre, k) => [...this.project(this.place(centre)), k]).sort((a, b) => a[2] - b[2]);
    for (const [x, y, , k] of places) drawDisc(context, x, y, 11, this.marks[k], String(k + 1));
  }
}

// A disc with a dark rim in a light one, seen on any ground, and a text in it.
function drawDisc(context, x, y, radius, colour, text = "") {
  for (const [fill, r] of [["rgba(0,0,0,.8)", radius + 2.5], ["#fff", radius + 1.2], [colour, radius - 0.8]]) {
    context.fillStyle = fill;
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fill();
  }
  Object.assign(context, { fillStyle: "#fff", strokeStyle: "rgba(0,0,0,.6)", lineWidth: 2.5, textAlign: "center", textBaseline: "middle", font: `700 ${Math.round(radius * 1.15)}px system-ui, sans-serif` });
  context.strokeText(text, x, y + 0.5);
  context.fillText(text, x, y + 0.5);
  context.textBaseline = "alphabetic";
}
