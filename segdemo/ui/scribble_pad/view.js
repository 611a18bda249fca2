// The canvas: photo and strokes under a zoom, and where on the photo a pointer is.

const MAX_ZOOM = 32;

class View {
  // changed() after every change of what is visible.
  constructor(stage, canvas, changed) {
    this.stage = stage;
    this.canvas = canvas;
    this.changed = changed;
    this.photo = null;
    this.reset();
    new ResizeObserver(() => this.changed()).observe(stage);
  }

  lay(photo) {
    this.photo = photo;
    this.stage.style.aspectRatio = photo ? `${photo.naturalWidth} / ${photo.naturalHeight}` : "";
    this.reset();
  }

  reset() {
    this.zoom = 1;
    this.x = this.y = 0.5;  // the point of the photo in the middle of the stage
    this.changed();
  }

  // Where the whole photo lies, in CSS pixels of the stage; no empty border once it is larger than the stage.
  get place() {
    const { clientWidth, clientHeight } = this.stage, { naturalWidth, naturalHeight } = this.photo;
    const scale = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight) * this.zoom;
    const width = naturalWidth * scale, height = naturalHeight * scale;
    const middle = (at, size, room) => {
      const half = room / (2 * size);
      return half >= 0.5 ? 0.5 : Math.min(Math.max(at, half), 1 - half);
    };
    this.x = middle(this.x, width, clientWidth);
    this.y = middle(this.y, height, clientHeight);
    return { left: clientWidth / 2 - this.x * width, top: clientHeight / 2 - this.y * height, width, height };
  }

  // A pointer's place in CSS pixels of the stage.
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // A place on the stage as parts of the photo's width and height.
  toPhoto({ x, y }) {
    const { left, top, width, height } = this.place;
    const round = (part) => Math.round(part * 1e5) / 1e5;
    return [round((x - left) / width), round((y - top) / height)];
  }

  // And back, in CSS pixels of the stage.
  fromPhoto([x, y]) {
    const { left, top, width, height } = this.place;
    return { x: left + x * width, y: top + y * height };
  }

  // Zoom by a factor so that the photo's point under (x, y) stays where it is.
  zoomAt(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    if (!this.photo) return;
    const { left, top, width, height } = this.place;
    const zoom = Math.min(Math.max(this.zoom * factor, 1), MAX_ZOOM), growth = zoom / this.zoom;
    this.zoom = zoom;
    this.x = (x - left) / width - (x - this.stage.clientWidth / 2) / (width * growth);
    this.y = (y - top) / height - (y - this.stage.clientHeight / 2) / (height * growth);
    this.changed();
  }

  panBy(dx, dy) {
    if (!this.photo) return;
    const { width, height } = this.place;
    this.x -= dx / width;
    this.y -= dy / height;
    this.changed();
  }

  // Paint the photo and, over it, what `draw(context, width, height)` puts on a layer of the photo's extent.
  paint(draw) {
    const { clientWidth, clientHeight } = this.stage, ratio = window.devicePixelRatio || 1;
    if (!this.photo || !clientWidth || !clientHeight) return;
    const width = Math.round(clientWidth * ratio), height = Math.round(clientHeight * ratio);
    const place = this.place;
    for (const canvas of [this.canvas, this.layer = this.layer || document.createElement("canvas")]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    const context = this.canvas.getContext("2d"), layer = this.layer.getContext("2d");
    for (const each of [context, layer]) {
      each.setTransform(1, 0, 0, 1, 0, 0);
      each.clearRect(0, 0, width, height);
      each.setTransform(ratio, 0, 0, ratio, ratio * place.left, ratio * place.top);
    }
    context.imageSmoothingEnabled = place.width < 4 * this.photo.naturalWidth;  // near by, show the pixels as they are
    context.drawImage(this.photo, 0, 0, place.width, place.height);
    layer.save();  // what is drawn beside the photo is no seed
    layer.beginPath();
    layer.rect(0, 0, place.width, place.height);
    layer.clip();
    draw(layer, place.width, place.height);
    layer.restore();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.layer, 0, 0);
  }
}
