// Text on the page. Names come from anywhere, so nothing is ever set as markup.

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function makeVector(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function swatch(colour) {
  const node = make("i", "sv-swatch");
  node.style.backgroundColor = colour;
  return node;
}

function percent(part) {
  const value = 100 * part;
  if (value === 0 || value === 100) return `${value} %`;
  if (value < 0.01) return "< 0.01 %";
  return value.toFixed(value < 0.995 ? 2 : value < 9.95 || value > 99 ? 1 : 0) + " %";
}

function duration(seconds) {
  if (seconds < 0.0005) return "< 1 ms";
  return seconds < 0.9995 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

// One line of the bar chart of class probabilities.
function chanceBar(name, colour, probability) {
  const line = make("div", "sv-bar"), track = make("span", "sv-track"), filled = make("i");
  line.dataset.testid = "bar";
  filled.style.width = 100 * probability + "%";
  filled.style.backgroundColor = colour;
  track.append(filled);
  line.append(make("span", "sv-name", name), track, make("span", "sv-share", probability.toFixed(2)));
  return line;
}
