// How strokes look: lines, boxes and loaded maps, in the colours of the method's brushes; those it does not know are faint.

const RIM = 2;  // pixels by which the eraser's line is wider, or the smoothed rim of what it erases would stay to be seen

class Painter {
  constructor(brushes, all) {
    Object.assign(this, { brushes, all, maps: new WeakMap() });
  }

  brushOf(label) { return this.brushes.find((brush) => brush.label === label); }

  paint(context, stroke, width, height) {
    if (stroke.runs) this.map(context, stroke, width, height);
    else if (stroke.box) this.box(context, stroke, width, height);
    else this.line(context, stroke, width, height);
  }

  // Strokes lie on a layer of their own, so that the eraser removes strokes and not the photo.
  line(context, { label, size, points }, width, height) {
    const brush = this.brushOf(label);
    context.globalCompositeOperation = label ? "source-over" : "destination-out";
    context.globalAlpha = brush || !label ? 1 : 0.3;
    context.strokeStyle = this.colourOf(label);
    context.lineWidth = Math.max(1, size * Math.max(width, height)) + (label ? 0 : RIM);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(points[0][0] * width, points[0][1] * height);
    for (const [x, y] of points.length > 1 ? points.slice(1) : points) context.lineTo(x * width, y * height);
    context.stroke();
  }

  // All outside becomes the label, so what was drawn there before is gone; thin, for the photo is to be seen.
  box(context, { label, box: [left, top, right, bottom] }, width, height) {
    const brush = this.brushOf(label), inner = [left * width, top * height, (right - left) * width, (bottom - top) * height];
    context.beginPath();
    context.rect(0, 0, width, height);
    context.rect(...inner);
    context.globalAlpha = 1;
    context.globalCompositeOperation = "destination-out";
    if (brush) context.fill("evenodd");
    context.globalCompositeOperation = "source-over";
    context.fillStyle = context.strokeStyle = this.colourOf(label);
    context.globalAlpha = brush ? 0.45 : 0.15;
    context.fill("evenodd");
    context.globalAlpha = brush ? 1 : 0.3;
    context.lineWidth = 2;
    context.strokeRect(...inner);
  }

  colourOf(label) {
    return (this.brushOf(label) || this.all.find((other) => other.label === label) || { colour: "#000" }).colour;
  }

  map(context, map, width, height) {
    if (!this.maps.has(map)) this.maps.set(map, this.colourMap(map));
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = 1;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.maps.get(map), 0, 0, width, height);
  }

  colourMap({ width, height, runs }) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0, at = 0; i < runs.length; at += runs[i + 1], i += 2) {
      const known = this.brushOf(runs[i]), brush = known || this.all.find(({ label }) => label === runs[i]);
      if (!runs[i]) continue;
      const rgb = parseInt((brush ? brush.colour : "#888888").slice(1), 16);  // canvas pixels are ABGR
      const abgr = ((known ? 255 : 77) << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16);
      pixels.fill(abgr >>> 0, at, at + runs[i + 1]);
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }
}
