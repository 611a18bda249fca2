// Scribbles as files: strokes as JSON, written and read here; label maps as PNG, by the server.

const MAX_LABEL = 8, MAX_POINTS = 200000, MAX_RUNS = 100000, MAX_FILE = 30e6;
const FORMAT = "segdemo scribbles";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isLabel = (value) => Number.isInteger(value) && value >= 0 && value <= MAX_LABEL;

function isMap({ width, height, runs }) {
  if (!Array.isArray(runs) || runs.length > 2 * MAX_RUNS || !(width > 0 && height > 0)) return false;
  let pixels = 0;
  for (let i = 0; i < runs.length; i += 2) {
    if (!isLabel(runs[i]) || !Number.isInteger(runs[i + 1]) || runs[i + 1] < 0) return false;
    pixels += runs[i + 1];
  }
  return pixels === width * height;
}

function isLine({ label, size, points }) {
  return isLabel(label) && isNumber(size) && size > 0 && size < 10 && Array.isArray(points) && points.length > 0 &&
    points.every((point) => Array.isArray(point) && point.length === 2 && point.every(isNumber));
}

const isBox = ({ label, box }) => label > 0 && isLabel(label) && Array.isArray(box) && box.length === 4 && box.every(isNumber);

const isStroke = (stroke) => Boolean(stroke) && (stroke.runs ? isMap(stroke) : stroke.box ? isBox(stroke) : isLine(stroke));

// The strokes themselves, or an Error whose message says what to do.
function checkStrokes(strokes) {
  const advice = "load a file that was saved here with Save strokes or Save PNG.";
  if (!Array.isArray(strokes)) throw new Error(`This file holds no scribbles: ${advice}`);
  if (!strokes.every(isStroke)) {
    throw new Error(`The scribbles in this file are damaged or of another kind: ${advice}`);
  }
  if (strokes.reduce((sum, stroke) => sum + (stroke.points || []).length, 0) > MAX_POINTS) {
    throw new Error("This file holds more strokes than the pad can: load one with fewer.");
  }
  return strokes;
}

function strokesAsText({ key, width, height }, strokes) {
  return JSON.stringify({ format: FORMAT, version: 1, photo: key, width, height, strokes });
}

// { strokes, photo } of a file's text.
function strokesFromText(text) {
  let content = null;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error("This file is not valid JSON: load a file that was saved here with Save strokes or Save PNG.");
  }
  return { strokes: checkStrokes(content && content.format === FORMAT ? content.strokes : null), photo: content.photo };
}

function asBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("This file could not be read: choose it again."));
    reader.readAsDataURL(file);
  });
}

function offer(name, address) {
  const link = document.createElement("a");
  link.download = name;
  link.href = address;
  link.click();
}
