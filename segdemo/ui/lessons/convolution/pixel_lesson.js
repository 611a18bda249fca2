// A lesson whose pictures show the same photo and mark one pixel of it, chosen by pointing or with the arrow keys.
class PixelLesson extends Lesson {
  constructor(root, ask) {
    super(root, ask);
    this.place = [0.5, 0.5];
  }

  // On `canvas`, what `paint(context, size)` draws, with the mark on it.
  pixelBoard(canvas, paint) {
    const marked = (context, size) => {
      if (!this.result) return;
      paint(context, size);
      this.mark(context, size);
    };
    return new PixelBoard(canvas, marked, (u, v, isMeant) => this.result && this.point(u, v, isMeant), (dx, dy) => this.result && this.step(dx, dy));
  }

  // Hovering reads as a press does.
  point(u, v) { this.move(u, v); }

  move(u, v) {
    this.place = [u, v];
    this.read();
  }

  step(dx, dy) {
    const { width, height } = this.result, [x, y] = this.pixel();
    this.move((clamp(x + dx, 0, width - 1) + 0.5) / width, (clamp(y + dy, 0, height - 1) + 0.5) / height);
  }

  pixel() {
    const { width, height } = this.result;
    return [Math.min(Math.floor(this.place[0] * width), width - 1), Math.min(Math.floor(this.place[1] * height), height - 1)];
  }

  mark(context, { width, height }) {
    const { width: across, height: down } = this.result, [x, y] = this.pixel(), [left, top] = [(x + 0.5) * width / across, (y + 0.5) * height / down];
    for (const [colour, thickness] of [["#000", 4], ["#ffdc00", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
      context.beginPath();
      context.arc(left, top, 5, 0, 7);
      context.stroke();
    }
  }

  // Swatches and names of the labels that are to be seen.
  nameColours(labels) {
    const { palette, names } = this.result;
    this.part("keys").replaceChildren(...labels.map((label) => html("span", {}, swatch(palette, label), names[label])));
  }
}

// Background leaves the photo as it is.
const swatch = (palette, label) => html("i", { style: `background:${label ? palette[label] : "transparent"}` });

// Addends to two decimals, so that they add up to the whole as it is written: the largest takes what rounding leaves.
function addends(parts, whole) {
  const rounded = parts.map((part) => Math.round(100 * part)), largest = parts.map(Math.abs).indexOf(Math.max(...parts.map(Math.abs)));
  rounded[largest] += Math.round(100 * whole) - rounded.reduce((sum, part) => sum + part, 0);
  return rounded.map((part) => part / 100);
}

// Two decimals, a true minus, and none before 0.00.
const hundredths = (value) => value.toFixed(2).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
