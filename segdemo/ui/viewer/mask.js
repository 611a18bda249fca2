// A label map as two pictures, its areas and its boundaries, coloured anew only when something has changed.

const BRIGHT = 0x4de1ff;  // ABGR: one yellow, for lines of labels too many for a colour each, or in the photo's own colours

// Boundaries of a photo of few pixels are drawn on so many times as many, or they would cover whole superpixels.
const FINE = 512, MOST_TIMES = 8;
const finenessOf = ({ width, height }) => Math.min(MOST_TIMES, Math.max(1, Math.floor(FINE / Math.max(width, height))));

class Mask {
  constructor() {
    this.fill = blankCanvas(1, 1);
    this.outline = blankCanvas(1, 1);
    this.side = this.edge = this.highlight = null;
  }

  // side: { labels, colours, visible, thin, ownColours }, or null for nothing to show
  show(side) {
    if (!side || !this.side || side.labels !== this.side.labels) this.edge = this.fine = null;
    this.side = side;
    this.stale = true;
  }

  // With `width` screen pixels across the picture; boundaries only where they are asked for.
  paint(width, withOutline) {
    if (!this.side || !this.side.labels) return;
    const { labels, colours, visible, thin, ownColours } = this.side;
    const times = finenessOf(labels), reach = thin ? 1 : Math.min(4, Math.max(1, Math.round((1.2 * times * labels.width) / width)));
    const wantsEdge = withOutline && (!this.edge || reach !== this.reach);
    if (wantsEdge) {
      this.fine = this.fine || (times > 1 ? enlarge(labels, times) : labels);
      this.edge = boundaries(this.fine, reach, thin);
      this.reach = reach;
    }
    if (!this.stale && !wantsEdge) return;
    this.stale = false;
    const tint = Uint32Array.from(colours, (hex, k) => {
      if (!visible[k]) return 0;
      return pixelOf(hex, !visible[this.highlight] || this.highlight === k ? 255 : 40);
    });
    paintPixels(this.fill, labels.width, labels.height, (i) => tint[labels.values[i]]);
    if (!withOutline) return;
    const lines = thin || ownColours ? tint.map((pixel) => pixel && (pixel & 0xff000000) | BRIGHT) : tint;
    const { width: across, height: down, values } = this.fine;
    paintPixels(this.outline, across, down, (i) => (this.edge[i] ? lines[values[i]] : 0));
  }
}
