// The canvas: photo, mask, divider and marks, and the pointer, wheel and pinch upon it.

const MAX_ZOOM = 40, CLICK_SLOP = 5, DOUBLE_CLICK_MS = 400, WHEEL_PAUSE_MS = 350;

// A wheel turn that began as scrolling of the page stays with the page.
let lastPageWheel = 0;
document.addEventListener("wheel", (event) => {
  if (!event.target.closest || !event.target.closest(".sv-canvas")) lastPageWheel = event.timeStamp;
}, { passive: true, capture: true });

class Stage {
  // handlers: hover(u, v), leave(), click(u, v), view(view), divider(position)
  constructor(box, handlers) {
    this.box = box;
    this.canvas = box.querySelector(".sv-canvas");
    this.bar = box.querySelector(".sv-divider");
    this.handlers = handlers;
    this.view = { zoom: 1, x: 0.5, y: 0.5 };
    this.scene = null;
    this.mode = "fill";
    this.opacity = 0.6;
    this.divider = null;
    this.pin = null;
    this.ghost = null;
    this.mask = new Mask();
    this.other = new Mask();
    this.pointers = new Map();
    this.lastClick = { time: -1e9, x: 0, y: 0 };
    new ResizeObserver(() => this.draw()).observe(box);
    this.listenToPointers();
    this.listenToWheel();
    this.listenToDivider();
  }

  // scene: { width, height, base, mask, map, before }; `map` is shown in place of `mask`, what a Mask shows;
  // `before`, another of that kind or null, lies left of the divider, where else the bare photo is.
  show(scene) {
    this.scene = scene;
    this.mask.show(scene.mask);
    this.other.show(scene.before);
    this.draw();
  }

  repaint() {
    this.mask.stale = this.other.stale = true;
    this.draw();
  }

  // Whether (u, v) of the picture is left of the divider, with another mask than on its right.
  isBefore({ u }) {
    if (this.divider === null || !this.scene || !this.scene.before) return false;
    const place = this.rectangle();
    return place.left + u * place.width < this.divider * this.box.clientWidth;
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.drawNow();
    });
  }

  // Where the whole picture lies, in CSS pixels of the stage.
  rectangle() {
    const { clientWidth: stageWidth, clientHeight: stageHeight } = this.box;
    const { width, height } = this.scene;
    const scale = Math.min(stageWidth / width, stageHeight / height) * this.view.zoom;
    const centre = (at, size, room) => {
      const half = room / (2 * size);
      return half >= 0.5 - 1e-6 ? 0.5 : Math.min(Math.max(at, half), 1 - half);
    };
    const x = centre(this.view.x, width * scale, stageWidth), y = centre(this.view.y, height * scale, stageHeight);
    return { x, y, scale, left: stageWidth / 2 - x * width * scale, top: stageHeight / 2 - y * height * scale,
      width: width * scale, height: height * scale };
  }

  drawNow() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!this.scene || !width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    const deviceWidth = Math.round(width * ratio), deviceHeight = Math.round(height * ratio);
    if (this.canvas.width !== deviceWidth) this.canvas.width = deviceWidth;
    if (this.canvas.height !== deviceHeight) this.canvas.height = deviceHeight;
    const place = this.rectangle();
    for (const mask of [this.mask, this.other]) mask.paint(place.width, this.mode !== "fill");
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.drawImage(context, this.scene.base, place, 1);
    const { map, mask, before } = this.scene, middle = this.divider === null ? 0 : this.divider * width;
    if (before) this.within(context, 0, middle, height, () => this.drawMask(context, this.other, place));
    this.within(context, middle, width - middle, height, () => {
      if (map) this.drawImage(context, map.canvas, place, this.strong);
      else if (mask) this.drawMask(context, this.mask, place);
    });
    if (this.ghost) this.drawMark(context, this.ghost, place, 4);
    if (this.pin) this.drawMark(context, this.pin, place, 7);
    this.canvas.dataset.drawn = Number(this.canvas.dataset.drawn || 0) + 1;
  }

  within(context, left, width, height, draw) {
    context.save();
    context.beginPath();
    context.rect(left, 0, width, height);
    context.clip();
    draw();
    context.restore();
  }

  // Opacity of lines, maps and of masks in the photo's own colours: nearly full at the slider's default.
  get strong() {
    return Math.min(1, 1.6 * this.opacity);
  }

  drawMask(context, mask, place) {
    if (this.mode !== "outline") this.drawImage(context, mask.fill, place, mask.side.ownColours ? this.strong : this.opacity);
    if (this.mode !== "fill") this.drawImage(context, mask.outline, place, this.strong);
  }

  drawImage(context, image, place, alpha) {
    const scale = place.width / (image.naturalWidth || image.width);
    context.globalAlpha = alpha;
    context.imageSmoothingEnabled = scale < (image.naturalWidth ? 4 : 1);  // near by, show the pixels as they are
    context.imageSmoothingQuality = "high";
    context.drawImage(image, place.left, place.top, place.width, place.height);
    context.globalAlpha = 1;
  }

  drawMark(context, { u, v }, place, radius) {
    const x = place.left + u * place.width, y = place.top + v * place.height;
    for (const [colour, width] of [["rgba(0, 0, 0, .65)", 4], ["#fff", 2]]) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }

  // Stage coordinates to picture coordinates in [0, 1), or null beside the picture.
  pick(x, y) {
    if (!this.scene) return null;
    const place = this.rectangle();
    const u = (x - place.left) / place.width, v = (y - place.top) / place.height;
    return u >= 0 && u < 1 && v >= 0 && v < 1 ? { u, v } : null;
  }

  positionOf({ u, v }) {
    const place = this.rectangle();
    return { x: place.left + u * place.width, y: place.top + v * place.height };
  }

  setView(view, tell = true) {
    this.view = { ...view, zoom: Math.min(Math.max(view.zoom, 1), MAX_ZOOM) };
    if (this.scene && this.box.clientWidth) {  // a stage in a tab that is not open has no size to keep within
      const { x, y } = this.rectangle();
      this.view.x = x;
      this.view.y = y;
    }
    this.canvas.classList.toggle("sv-zoomed", this.view.zoom > 1);
    this.handlers.view(this.view, tell);
    this.draw();
  }

  // Zoom by a factor so that the picture point under (x, y) stays where it is.
  zoomAt(factor, x = this.box.clientWidth / 2, y = this.box.clientHeight / 2) {
    if (!this.scene) return;
    const before = this.rectangle();
    const zoom = Math.min(Math.max(this.view.zoom * factor, 1), MAX_ZOOM);
    const growth = zoom / this.view.zoom;
    const u = (x - before.left) / before.width, v = (y - before.top) / before.height;
    const shiftX = (x - this.box.clientWidth / 2) / (before.width * growth);
    const shiftY = (y - this.box.clientHeight / 2) / (before.height * growth);
    this.setView({ zoom, x: u - shiftX, y: v - shiftY });
  }

  panBy(dx, dy) {
    if (!this.scene) return;
    const place = this.rectangle();
    this.setView({ zoom: this.view.zoom, x: place.x - dx / place.width, y: place.y - dy / place.height });
  }

  reset() {
    this.setView({ zoom: 1, x: 0.5, y: 0.5 });
  }

  setDivider(position) {
    this.divider = position === null ? null : Math.min(Math.max(position, 0), 1);
    this.bar.hidden = this.divider === null;
    if (this.divider !== null) {
      this.bar.style.left = 100 * this.divider + "%";
      this.bar.setAttribute("aria-valuenow", Math.round(100 * this.divider));
    }
    this.draw();
  }

  localPoint(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  listenToPointers() {
    const { canvas, pointers } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, this.localPoint(event));
      if (pointers.size === 1) this.press = { ...this.localPoint(event), moved: false };
      else this.press.moved = true;
    });
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    const release = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      canvas.classList.remove("sv-dragging");
      if (event.type === "pointerup" && pointers.size === 0 && !this.press.moved) this.onClick(event);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => this.handlers.leave());
    // Two fingers belong to the picture, one finger may still scroll the page.
    const keep = (event) => event.touches.length > 1 && event.preventDefault();
    canvas.addEventListener("touchmove", keep, { passive: false });
  }

  onMove(event) {
    const point = this.localPoint(event), before = this.pointers.get(event.pointerId);
    if (!before) {
      const at = this.pick(point.x, point.y);
      if (event.pointerType === "touch" || !at) this.handlers.leave();
      else this.handlers.hover(at, point);
      return;
    }
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const spread = (place) => Math.hypot(place.x - other.x, place.y - other.y) || 1;
      this.zoomAt(spread(point) / spread(before), (point.x + other.x) / 2, (point.y + other.y) / 2);
      this.panBy((point.x - before.x) / 2, (point.y - before.y) / 2);
    } else if (this.press.moved || Math.hypot(point.x - this.press.x, point.y - this.press.y) > CLICK_SLOP) {
      this.press.moved = true;
      this.canvas.classList.add("sv-dragging");
      this.handlers.leave();
      this.panBy(point.x - before.x, point.y - before.y);
    } else return;
    this.pointers.set(event.pointerId, point);
  }

  onClick(event) {
    const { x, y } = this.localPoint(event), last = this.lastClick;
    const isDouble = event.timeStamp - last.time < DOUBLE_CLICK_MS && Math.hypot(x - last.x, y - last.y) < 24;
    this.lastClick = { time: isDouble ? -1e9 : event.timeStamp, x, y };
    const at = this.pick(x, y);
    if (at) this.handlers.click(at);
    if (isDouble) this.reset();
  }

  listenToWheel() {
    this.canvas.addEventListener("wheel", (event) => {
      const belongsToPage = event.timeStamp - lastPageWheel < WHEEL_PAUSE_MS && !event.ctrlKey;
      if (belongsToPage || (this.view.zoom === 1 && event.deltaY > 0 && !event.ctrlKey)) {
        lastPageWheel = event.timeStamp;
        return;
      }
      event.preventDefault();
      const { x, y } = this.localPoint(event);
      const turned = event.deltaY * (event.deltaMode === 1 ? 16 : 1);  // lines to pixels
      const speed = event.ctrlKey ? 0.01 : 0.0025;  // with ctrl it is a pinch on a touch pad
      this.zoomAt(Math.exp(-Math.max(-120, Math.min(120, turned)) * speed), x, y);
    }, { passive: false });
  }

  listenToDivider() {
    const { bar, box } = this;
    const follow = (event) => {
      const rectangle = box.getBoundingClientRect();
      this.handlers.divider((event.clientX - rectangle.left) / rectangle.width);
    };
    bar.addEventListener("pointerdown", (event) => {
      bar.setPointerCapture(event.pointerId);
      follow(event);
    });
    bar.addEventListener("pointermove", (event) => bar.hasPointerCapture(event.pointerId) && follow(event));
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.handlers.divider(this.divider + step);
    });
  }
}
