// Pixels in, pixels out: unpacking, colouring, boundaries. No page, no state.

const ARRAYS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };

// The exact integers that Python packed: deflate and base64. A PNG read back through a
// canvas would not do: browsers may manage its colours or add noise against fingerprinting.
async function unpack(packed) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const values = new ARRAYS[packed.bytes](await new Response(stream).arrayBuffer());
  return { width: packed.width, height: packed.height, values };
}

async function loadImage(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

function blankCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

// "#rrggbb" to the 32-bit pixel of an ImageData (little-endian ABGR) with the given alpha.
function pixelOf(hex, alpha) {
  const rgb = parseInt(hex.slice(1), 16);
  return ((alpha << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
}

function paintPixels(canvas, width, height, colourOf) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colourOf(i);
  context.putImageData(image, 0, 0);
}

// 1 where a label differs from the one `reach` pixels to the right or below and,
// unless the line is to be thin, to the left or above.
function boundaries({ width, height, values }, reach, thin) {
  const edge = new Uint8Array(values.length), down = reach * width;
  for (let y = 0, i = 0; y < height; y++) {
    const above = !thin && y >= reach, below = y + reach < height;
    for (let x = 0; x < width; x++, i++) {
      const label = values[i];
      if ((x + reach < width && values[i + reach] !== label) || (below && values[i + down] !== label) ||
          (!thin && x >= reach && values[i - reach] !== label) || (above && values[i - down] !== label)) edge[i] = 1;
    }
  }
  return edge;
}

// The labels with each pixel `factor` times as wide and as high.
function enlarge({ width, height, values }, factor) {
  const large = { width: factor * width, height: factor * height, values: new values.constructor(factor * factor * values.length) };
  for (let y = 0, i = 0; y < large.height; y++) {
    const row = Math.floor(y / factor) * width;
    for (let x = 0; x < large.width; x++, i++) large.values[i] = values[row + Math.floor(x / factor)];
  }
  return large;
}

// Part of the area per label, as a Map: only the labels that occur.
function sharesOf({ values }) {
  const counts = new Map();
  for (const label of values) counts.set(label, (counts.get(label) || 0) + 1);
  for (const [label, count] of counts) counts.set(label, count / values.length);
  return counts;
}

// viridis at nine places; between them linear.
const VIRIDIS = ["#440154", "#472c7a", "#3b518b", "#2c718e", "#21908d", "#27ad81", "#5cc863", "#aadc32", "#fde725"];

const viridisPixels = (() => {
  const stops = VIRIDIS.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (stops.length - 1), left = Math.min(Math.floor(place), stops.length - 2);
    const [r, g, b] = stops[left].map((c, k) => Math.round(c + (stops[left + 1][k] - c) * (place - left)));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
})();

// A grey picture as values 0..255 and as a canvas in viridis.
async function loadMap(address) {
  const image = await loadImage(address);
  const { naturalWidth: width, naturalHeight: height } = image;
  const canvas = blankCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const values = context.getImageData(0, 0, width, height).data.filter((_, i) => i % 4 === 0);
  paintPixels(canvas, width, height, (i) => viridisPixels[values[i]]);
  return { width, height, values, canvas };
}

// The value of a plane at (u, v), both in [0, 1).
function valueAt({ width, height, values }, u, v, plane = 0) {
  const x = Math.min(width - 1, Math.floor(u * width)), y = Math.min(height - 1, Math.floor(v * height));
  return values[(plane * height + y) * width + x];
}
