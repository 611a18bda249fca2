// Max pooling and three ways back up: whole pictures, and the numbers of an 8 x 8 patch.

const WAYS_UP = { bilinear: "bilinear", fixed: "fixed unpooling", max: "max unpooling" };
const PATCH = 8;

class UpsamplingLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    Object.assign(this, { isFilled: false, corner: null, place: [0.5, 0.5], pointed: null });
    this.part("poolings").addEventListener("input", () => {
      this.say("poolings-value", this.part("poolings").value);
      if (this.result) this.requestSoon();
    });
    const buttons = ["as it is", "then a convolution"].map((title, k) => {
      const button = html("button", { type: "button", "aria-pressed": String(!k) }, title);
      button.addEventListener("click", () => {
        buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        this.isFilled = k === 1;
        this.showPictures();
      });
      return button;
    });
    this.part("fill").replaceChildren(...buttons);
    this.pictures = ["photo", ...Object.keys(WAYS_UP)].map((name) => this.makePicture(name));
    new ResizeObserver(() => this.fitPixels()).observe(this.part("pictures"));
    this.grids = ["pixels", "pooled", ...Object.keys(WAYS_UP)].map((name) => this.makeGrid(name));
  }

  question() { return { poolings: this.number("poolings") }; }

  makePicture(name) {
    const canvas = html("canvas", { class: `cl-picture cv-pixels${name === "photo" ? " cl-pick" : ""}`, role: name === "photo" ? "application" : "img", "data-testid": `upsampling-${name}`, "aria-label": name === "photo" ? "the photo; arrow keys move the patch" : WAYS_UP[name] });
    const title = html("figcaption");
    this.part("pictures").append(html("figure", {}, canvas, title));
    const paint = (context, size) => this.result && this.paintPicture(name, context, size);
    const board = name === "photo" ? new PixelBoard(canvas, paint, (u, v, isMeant) => isMeant !== false && this.move(u, v), (dx, dy) => this.step(dx, dy)) : new Board(canvas, paint);
    return { name, title, board };
  }

  makeGrid(name) {
    const canvas = html("canvas", { class: "cl-pick cv-grid", role: "application", "data-testid": `upsampling-grid-${name}`, "aria-label": `numbers, ${name}; arrow keys read them` });
    const title = { pixels: "8 × 8 pixels", pooled: "max pooling", ...WAYS_UP }[name];
    this.part("grids").append(html("figure", {}, canvas, html("figcaption", {}, html("b", {}, title))));
    const side = name === "pooled" ? PATCH / 2 : PATCH;
    return { name, side, board: new Board(canvas, (context, size) => this.result && this.paintGrid(name, side, context, size), (u, v) => this.point(name, Math.floor(u * side), Math.floor(v * side))) };
  }

  async decode(value) {
    const maps = (named) => Promise.all(Object.keys(WAYS_UP).map(async (how) => [how, await unpack(named[how])])).then(Object.fromEntries);
    const [image, pooled, places, raised, filled] = await Promise.all([unpack(value.image), unpack(value.pooled), unpack(value.places), maps(value.raised), maps(value.filled)]);
    return { ...value, image, pooled, places, raised, filled };
  }

  receive(result) {
    this.result = result;
    for (const { board } of this.pictures) board.shape(result.image.width, result.image.height);
    this.fitPixels();
    this.showPictures();
    this.move(...this.place);
  }

  // Every pixel as wide as every other, where there is room for that: else rows of the unpooled dots would be left out.
  fitPixels() {
    if (!this.result) return;
    const { width, height } = this.result.image, sharp = Math.min(window.devicePixelRatio || 1, 2);
    for (const { board: { canvas } } of this.pictures) {
      const room = canvas.parentElement.clientWidth, tallest = 0.5 * window.innerHeight;
      const whole = Math.floor(Math.min(room * sharp / width, Math.max(tallest * sharp / height, 1)));
      canvas.style.width = whole ? `${whole * width / sharp}px` : "100%";
    }
  }

  showPictures() {
    if (!this.result) return;
    const { image, raised, filled, poolings } = this.result, up = this.isFilled ? filled : raised, factor = 2 ** poolings;
    this.layers = { photo: labelLayer(image, grey) };
    for (const { name, title, board } of this.pictures) {
      if (name !== "photo") this.layers[name] = labelLayer(up[name], grey);
      const gap = name === "photo" ? 0 : up[name].values.reduce((sum, level, i) => sum + Math.abs(level - image.values[i]), 0) / image.values.length;
      title.replaceChildren(html("b", {}, name === "photo" ? "the photo" : WAYS_UP[name]), html("span", {}, name === "photo" ? `pooled to ${image.width / factor} × ${image.height / factor}` : `${name === "bilinear" && this.isFilled ? "no holes to fill, " : ""}mean error ${gap.toFixed(1)} of 255`));
      board.refresh();
    }
  }

  move(u, v) {
    if (!this.result) return;
    const { image } = this.result, start = (part, side) => Math.max(0, Math.min(2 * Math.round((part * side - PATCH / 2) / 2), side - PATCH));
    Object.assign(this, { place: [u, v], corner: [start(u, image.width), start(v, image.height)], pointed: null });
    this.sayPoint();
    this.pictures[0].board.refresh();
    for (const { board } of this.grids) board.refresh();
  }

  // From one square of 2 x 2 to the next.
  step(dx, dy) {
    if (!this.result) return;
    const { width, height } = this.result.image, [left, top] = this.corner;
    this.move(clamp((left + PATCH / 2 + 2 * dx) / width, 0, 1), clamp((top + PATCH / 2 + 2 * dy) / height, 0, 1));
  }

  paintPicture(name, context, size) {
    drawLayer(context, this.layers[name], size, { isSmooth: size.width * Math.min(window.devicePixelRatio || 1, 2) < this.result.image.width });
    if (name !== "photo" || !this.corner) return;
    const side = size.width / this.result.image.width, [x, y] = this.corner;
    for (const [colour, thickness] of [["#000", 4], ["#ffdc00", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
      context.strokeRect(x * side, y * side, PATCH * side, PATCH * side);
    }
  }

  // --- numbers --------------------------------------------------------------------------------

  read(map, x, y) { return map.values[clamp(y, 0, map.height - 1) * map.width + clamp(x, 0, map.width - 1)]; }

  // What stands at pixel (x, y) of the picture: value, and the pooled values it is made of with their shares.
  origin(name, x, y) {
    const { image, pooled, places } = this.result, i = x >> 1, j = y >> 1;
    if (name === "pixels") return { value: this.read(image, x, y), from: [] };
    if (name === "bilinear") {
      const from = [], at = [(x - 0.5) / 2, (y - 0.5) / 2], low = at.map(Math.floor);
      for (const row of [low[1], low[1] + 1]) for (const column of [low[0], low[0] + 1]) {
        const share = Math.max(0, 1 - Math.abs(at[0] - column)) * Math.max(0, 1 - Math.abs(at[1] - row));
        if (share) from.push({ share, column: clamp(column, 0, pooled.width - 1), row: clamp(row, 0, pooled.height - 1) });
      }
      return { value: from.reduce((sum, { share, column, row }) => sum + share * this.read(pooled, column, row), 0), from };
    }
    const place = name === "fixed" ? 0 : this.read(places, i, j), isHere = (x & 1) + 2 * (y & 1) === place;
    return { value: isHere ? this.read(pooled, i, j) : 0, from: isHere ? [{ share: 1, column: i, row: j }] : [] };
  }

  // null: beyond a photo smaller than the patch.
  value(name, column, row) {
    const [x, y] = this.corner, { image, pooled } = this.result, scale = name === "pooled" ? 2 : 1;
    if (x / scale + column >= (scale === 2 ? pooled : image).width || y / scale + row >= (scale === 2 ? pooled : image).height) return null;
    if (name !== "pooled") return this.origin(name, x + column, y + row);
    const i = (x >> 1) + column, j = (y >> 1) + row;
    return { value: this.read(this.result.pooled, i, j), from: [{ share: 1, column: i, row: j }] };
  }

  point(name, column, row) {
    const read = this.result && this.value(name, column, row);
    if (!read) return;
    this.pointed = { name, column, row, ...read };
    this.sayPoint();
    for (const { board } of this.grids) board.refresh();
  }

  sayPoint() {
    const { pointed } = this;
    if (!pointed) { this.say("caption", "Point at a number."); return; }
    const { name, value, from, column, row } = pointed, number = Math.round(value * 100) / 100, [x, y] = this.corner;
    const four = ([i, j]) => [[0, 0], [1, 0], [0, 1], [1, 1]].map(([dx, dy]) => this.read(this.result.image, 2 * i + dx, 2 * j + dy));
    const text = {
      pixels: () => `a grey value of the photo, at ${x + column}, ${y + row}.`,
      pooled: () => `max(${four([from[0].column, from[0].row]).join(", ")}).`,
      bilinear: () => `${from.map((part) => `${short(part.share)} · ${this.read(this.result.pooled, part.column, part.row)}`).join(" + ")}.`,
      fixed: () => (from.length ? "the pooled value, in the upper left of its four." : "a hole: the value went to the upper left."),
      max: () => (from.length ? "the pooled value, where the maximum was." : "a hole: the maximum was elsewhere."),
    }[name]();
    this.say("caption", html("b", {}, `${number} = `), text);
  }

  paintGrid(name, side, context, { width }) {
    const cell = width / side, lit = this.pointed ? this.pointed.from : [], [x, y] = this.corner;
    context.font = `600 ${clamp(Math.round(cell * 0.36), 8, 20)}px system-ui, sans-serif`;
    Object.assign(context, { textAlign: "center", textBaseline: "middle" });
    for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) {
      const read = this.value(name, column, row);
      if (!read) continue;
      const { value, from } = read, level = Math.round(value), isHole = ["fixed", "max"].includes(name) && !from.length;
      context.fillStyle = isHole ? "#0f172a" : `rgb(${level}, ${level}, ${level})`;
      context.fillRect(column * cell, row * cell, cell - 1, cell - 1);
      context.fillStyle = isHole ? "#64748b" : level > 128 ? "#111" : "#fff";
      context.fillText(level, (column + 0.5) * cell, (row + 0.54) * cell);
      const i = name === "pooled" ? (x >> 1) + column : (x + column) >> 1, j = name === "pooled" ? (y >> 1) + row : (y + row) >> 1;
      const isLargest = name === "pixels" && this.read(this.result.places, i, j) === (column & 1) + 2 * (row & 1);
      const isLit = (name === "pooled" || isLargest) && lit.some((part) => part.column === i && part.row === j), isPointed = this.pointed && this.pointed.name === name && this.pointed.column === column && this.pointed.row === row;
      if (isLargest || isLit || isPointed) this.ring(context, column * cell, row * cell, cell - 1, isPointed ? "#ff3b6b" : isLit ? "#ffdc00" : "#2f7bff", clamp(cell / (isLit || isPointed ? 8 : 14), 1, 4));
    }
    if (name === "pixels") this.rule(context, width);
  }

  ring(context, left, top, side, colour, thickness) {
    Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
    context.strokeRect(left + thickness / 2, top + thickness / 2, side - thickness, side - thickness);
  }

  // The squares of 2 x 2 that are pooled.
  rule(context, width) {
    Object.assign(context, { strokeStyle: "#ffffff", lineWidth: 2 });
    for (let k = 2; k < PATCH; k += 2) {
      context.beginPath();
      context.moveTo(k * width / PATCH - 0.5, 0); context.lineTo(k * width / PATCH - 0.5, width);
      context.moveTo(0, k * width / PATCH - 0.5); context.lineTo(width, k * width / PATCH - 0.5);
      context.stroke();
    }
  }
}
