// The viewer: takes the value that Python sends and lets stage, legend and replay show it.

const groups = new Map();

// Controls that want a key for themselves.
const wantsKey = (node, key) => node.matches("input, select, [role=slider]") ||
  ((key === " " || key === "enter") && node.matches("button, summary"));

// What a Mask shows of a result, with the choice of labels made in a legend.
const sideOf = (labels, { palette, listed, own_colours }, legend) =>
  ({ labels, colours: palette, visible: legend.visible, thin: listed.length > FEW_LABELS, ownColours: own_colours });

// The label at (u, v) of a label map; shares of the area by label, an array or a Map.
function labelAt(labels, { names, palette }, shares, u, v) {
  const label = valueAt(labels, u, v);
  const share = (shares instanceof Map ? shares.get(label) : shares[label]) || 0;
  return { label, name: names[label], colour: palette[label], share };
}

class MaskViewer {
  constructor(root, group, label) {
    this.root = root;
    this.group = group;
    this.result = null;
    this.picture = null;
    this.turn = 0;
    root.maskViewer = this;
    root.setAttribute("aria-label", label);
    this.part("canvas").setAttribute("aria-label", `${label}: picture with mask; arrow keys step the replay or move ` +
      "the picture, plus and minus zoom, B compares, Enter reads the centre");
    const legend = (name, mask) => new Legend(this.part(name), () => this.stage.repaint(), (label) => this.highlight(mask, label));
    this.legend = legend("legend", "mask");
    this.otherLegend = legend("before-legend", "other");  // of what lies left of the divider
    this.replay = new Replay(root, () => this.compose());
    this.stage = new Stage(this.part("stage"), {
      hover: (at, point) => this.everywhere((viewer) => viewer.hover(at, viewer === this ? point : null)),
      leave: () => this.everywhere((viewer) => viewer.leave()),
      click: (at) => this.click(at),
      view: (view, tell) => this.onView(view, tell),
      divider: (position) => this.divide(position),
    });
    this.listen();
    window.addEventListener("segdemo-photo-key", () => this.showAge());
    window.addEventListener("segdemo-changed", ({ detail }) => {
      if (detail.group === group && !detail.live) this.showAge();  // a live cut will be here before it is read
    });
    if (group) groups.set(group, (groups.get(group) || new Set()).add(this));
  }

  part(name) {
    return this.root.querySelector(`[data-testid="${name}"]`);
  }

  // Lines for labels too many for a colour each to mean anything, superpixels, unless the other side of the divider has
  // few: lines of k-means, say, are a thicket.
  get openingMode() {
    const sides = [this.result, this.result.before].filter(Boolean);
    return sides.every((side) => side.listed.length > FEW_LABELS) ? "outline" : "fill";
  }

  // This viewer and those of its group that are still on the page.
  everywhere(act) {
    const members = groups.get(this.group) || new Set([this]);
    for (const viewer of members) {
      if (viewer.root.isConnected) act(viewer);
      else members.delete(viewer);
    }
  }

  // --- what Python sends -------------------------------------------------------------------

  // A value, or its JSON.
  async show(given) {
    const turn = ++this.turn, value = typeof given === "string" ? JSON.parse(given || "null") : given;
    const state = value && value.state;
    this.showError(state === "error" ? value.message : "");
    const result = state === "error" ? value.previous : value;
    if (result && result.state === "result") {
      try {
        const decoded = await this.decode(result);
        if (turn === this.turn) this.showResult(decoded);
      } catch (error) {
        if (turn !== this.turn) return;
        this.showError(`This browser could not read the result (${error.message}). Please use a current browser.`);
      }
    } else if (state !== "error") this.showEmpty((value && value.text) || "No result yet");
  }

  async decode(value) {
    const known = this.result && this.result.photoAddress === value.photo;  // live cuts: the same photo every time
    const [photo, labels, scores, before] = await Promise.all([
      known ? this.result.photo : loadImage(value.photo), unpack(value.labels), value.scores && unpack(value.scores.planes),
      value.before && unpack(value.before.labels)]);
    if (scores) {
      scores.labels = value.scores.labels;
      scores.height /= scores.labels.length;  // the planes lie one below the other
    }
    const pictures = value.pictures.map((picture) => ({ ...picture }));
    const frames = value.frames.map((frame) => ({ ...frame, cache: {} }));
    const left = before && { ...value.before, labels: before };
    return { ...value, photo, labels, scores, pictures, frames, before: left, photoAddress: value.photo };
  }

  showError(message) {
    this.part("error").hidden = !message;
    this.part("error-text").textContent = message;
  }

  showEmpty(text) {
    this.replay.pause();
    this.result = this.stage.scene = null;
    this.root.dataset.state = "empty";
    this.part("empty-text").textContent = text;
    this.part("empty").hidden = false;
    this.root.querySelector(".sv-body").hidden = true;
    this.root.querySelector(".sv-head").hidden = true;
    this.part("notices").hidden = true;
  }

  showResult(result) {
    const isNewPhoto = !this.result || this.result.photoAddress !== result.photoAddress;
    this.result = result;
    this.picture = null;
    this.stage.pin = this.stage.ghost = this.stage.mask.highlight = this.stage.other.highlight = null;
    this.part("pin").hidden = this.part("tooltip").hidden = true;
    this.part("empty").hidden = true;
    this.root.querySelector(".sv-body").hidden = false;
    this.showHead();
    this.showAge();
    const aspect = result.photo.naturalWidth / result.photo.naturalHeight;
    this.part("stage").style.aspectRatio = Math.min(Math.max(aspect, 0.6), 3);
    this.legend.show(result);
    this.showSides();
    this.replay.show(result);
    this.showPictures();
    this.showChips("facts", result.facts);
    this.showChips("timings", result.timings.map(([stage, seconds]) => [stage, duration(seconds)]));
    if (!this.hasChosenMode) this.setMode(this.openingMode);
    if (!this.hasChosenOpacity) this.setOpacity(100 * result.opacity);
    this.compose();
    if (isNewPhoto) this.stage.setView({ zoom: 1, x: 0.5, y: 0.5 }, false);
    this.root.dataset.state = "result";
    this.root.dataset.turn = this.turn;
  }

  // Two results under the divider: each side by its name, with a legend of its own.
  showSides() {
    const { before, title } = this.result, box = this.part("before-legend").parentElement;
    box.hidden = this.part("after-title").hidden = !before;
    if (before) this.otherLegend.show(before);
    this.part("before-title").textContent = before ? `Left: ${before.title}` : "";
    this.part("after-title").textContent = before ? `Right: ${title}` : "";
    const [left, right] = this.root.querySelectorAll(".sv-tag");
    left.textContent = before ? before.title : "photo";
    right.textContent = before ? title : "result";
    if (before && this.stage.divider === null) this.divide(0.5);
  }

  // Whether the result is of the photo that is chosen (what names no photo, as pins, always is) and of all that was drawn and set.
  showAge() {
    const key = this.result && this.result.key, chosen = window.segdemoPhotoKey;
    const isOfAnother = key && chosen !== undefined && key !== chosen;
    const count = (changes) => (changes && changes[this.group]) || 0;
    const isOutdated = this.result && count(window.segdemoChanges) > count(window.segdemoAsked);
    this.part("stale").hidden = !isOfAnother && !isOutdated;
    this.part("stale").textContent = !isOfAnother ? "from before the last stroke or change: press Cut"
      : chosen ? "of another photo than the one chosen now: run again" : "of a photo that is no longer chosen";
  }

  showHead() {
    const { subtitle, notices, before } = this.result, title = before ? `${before.title} | ${this.result.title}` : this.result.title;
    this.root.querySelector(".sv-head").hidden = !title && !subtitle;
    this.part("title").textContent = title;
    this.part("subtitle").textContent = subtitle;
    this.part("notices").hidden = notices.length === 0;
    this.part("notices").replaceChildren(...notices.map((notice) => make("li", "", notice)));
  }

  showChips(name, rows) {
    this.part(name).hidden = rows.length === 0;
    this.part(name).replaceChildren(...rows.map(([key, text]) => {
      const chip = make("span", "sv-chip");
      chip.append(make("span", "", key), make("strong", "", text));
      return chip;
    }));
  }

  // --- further pictures --------------------------------------------------------------------

  showPictures() {
    const { pictures } = this.result;
    this.part("pictures").hidden = pictures.length === 0;
    this.part("pictures").replaceChildren(...pictures.map((picture, i) => {
      const button = make("button", "sv-thumb"), image = make("img");
      button.type = "button";
      button.dataset.testid = "picture";
      button.title = picture.note || picture.title;
      button.setAttribute("aria-pressed", "false");
      image.src = picture.image;
      image.alt = "";
      image.draggable = false;
      button.append(image, make("span", "", picture.title));
      button.addEventListener("click", () => this.enlarge(this.picture === i ? null : i));
      return button;
    }));
  }

  async enlarge(index) {
    const { result } = this, picture = index === null ? null : result.pictures[index];
    this.wanted = index;
    if (picture && !picture.pixels) picture.pixels = await loadImage(picture.image);
    if (result !== this.result || index !== this.wanted) return;  // overtaken
    this.picture = index;
    const thumbs = this.part("pictures").querySelectorAll("button");
    thumbs.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
    this.part("back").hidden = index === null;
    this.leave();
    this.compose();
  }

  // --- what the stage shows ----------------------------------------------------------------

  // The picture enlarged, else the replay's frame, else the result.
  async compose() {
    const { result, replay } = this;
    if (!result) return;
    const frame = replay.frame, layer = replay.layer;
    const picture = this.picture === null ? null : result.pictures[this.picture];
    this.part("note").hidden = !picture;
    this.part("note").textContent = picture ? [picture.title, picture.note].filter(Boolean).join(": ") : "";
    const parts = frame ? await this.decodeFrame(frame, layer) : null;
    if (result !== this.result || frame !== replay.frame || layer !== replay.layer) return;  // overtaken
    if (picture !== (this.picture === null ? null : result.pictures[this.picture])) return;
    const labels = picture ? null : parts ? parts.labels : result.labels;
    const asImage = !picture && parts && parts.image;
    const base = picture ? picture.pixels : asImage || result.photo;
    this.stage.show({
      width: base.naturalWidth, height: base.naturalHeight, base, map: (!picture && parts && parts.map) || null,
      mask: !asImage && labels ? sideOf(labels, result, this.legend) : null,
      before: picture || asImage || !result.before ? null : sideOf(result.before.labels, result.before, this.otherLegend),
    });
    if (parts && parts.labels) parts.labels.shares = parts.labels.shares || sharesOf(parts.labels);
    this.legend.update(parts && parts.labels ? parts.labels.shares : null);
    this.refreshPin();
  }

  // What `layer` needs of a frame; each part is decoded once.
  async decodeFrame(frame, layer) {
    const once = (key, decode) => (frame.cache[key] = frame.cache[key] || decode());
    const [labels, image, map] = await Promise.all([
      frame.labels && once("labels", () => unpack(frame.labels)),
      frame.image && (layer === "image" || !frame.labels) && once("image", () => loadImage(frame.image)),
      frame.maps[layer] && once(`map ${layer}`, () => loadMap(frame.maps[layer])),
    ]);
    return { labels, image, map };
  }

  highlight(mask, label) {
    if (this.stage[mask].highlight === label) return;
    this.stage[mask].highlight = label;
    this.stage.repaint();
  }

  // --- reading a pixel ---------------------------------------------------------------------

  // Label, area share and probabilities at (u, v) of what is shown.
  read({ u, v }) {
    const { result, stage, replay } = this, { mask, map, before } = stage.scene;
    if (stage.isBefore({ u })) return labelAt(before.labels, result.before, result.before.shares, u, v);
    if (map) return { name: replay.layer, value: (valueAt(map, u, v) / 255).toFixed(2) };
    if (!mask) return null;
    const { shares } = this.legend, found = labelAt(mask.labels, result, shares || result.shares, u, v);
    const bars = replay.frame || !result.scores ? [] : result.scores.labels
      .map((other, plane) => ({ label: other, probability: valueAt(result.scores, u, v, plane) / 255 }))
      .sort((a, b) => b.probability - a.probability);
    return { ...found, bars, probability: (bars.find((bar) => bar.label === found.label) || {}).probability };
  }

  hover(at, point) {
    if (!this.stage.scene || this.picture !== null) return;
    const { stage } = this, reading = this.read(at), tip = this.part("tooltip");
    stage.ghost = point ? null : at;
    if (!point) stage.draw();
    tip.hidden = !reading;
    if (!reading) return;
    tip.replaceChildren();
    if (reading.colour) tip.append(swatch(reading.colour));
    tip.append(make("strong", "", reading.name));
    const details = [reading.value, reading.share !== undefined && `${percent(reading.share)} of the area`,
      reading.probability !== undefined && `p = ${reading.probability.toFixed(2)}`];
    tip.append(make("span", "", details.filter(Boolean).join(" · ")));
    this.placeTip(tip, point || stage.positionOf(at));
  }

  placeTip(tip, { x, y }) {
    const { clientWidth: width, clientHeight: height } = this.stage.box;
    const left = x + 14 + tip.offsetWidth > width ? x - 14 - tip.offsetWidth : x + 14;
    const top = y + 16 + tip.offsetHeight > height ? y - 10 - tip.offsetHeight : y + 16;
    tip.style.left = Math.max(4, Math.min(left, width - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.max(4, top) + "px";
  }

  leave() {
    this.part("tooltip").hidden = true;
    if (!this.stage.ghost) return;
    this.stage.ghost = null;
    this.stage.draw();
  }

  click(at) {
    this.part("canvas").focus({ preventScroll: true });
    if (this.picture !== null) return this.enlarge(null);
    const { stage } = this, old = stage.pin;
    const from = old && stage.positionOf(old), to = stage.positionOf(at);
    const again = old && Math.hypot(from.x - to.x, from.y - to.y) < 10;
    this.everywhere((viewer) => viewer.setPin(again ? null : at));
  }

  setPin(at) {
    this.stage.pin = at;
    this.refreshPin();
    this.stage.draw();
  }

  refreshPin() {
    const card = this.part("pin"), at = this.stage.pin;
    const reading = at && this.stage.scene && this.picture === null ? this.read(at) : null;
    card.hidden = !reading;
    if (!reading) return;
    const close = make("button", "sv-close", "\u00d7");
    close.type = "button";
    close.dataset.testid = "unpin";
    close.setAttribute("aria-label", "let the pixel go");
    close.addEventListener("click", () => this.everywhere((viewer) => viewer.setPin(null)));
    const head = make("div", "sv-pin-head"), [height, width] = this.result.size;
    if (reading.colour) head.append(swatch(reading.colour));
    head.append(make("strong", "", reading.name), close);
    const where = `x ${Math.floor(at.u * width)}, y ${Math.floor(at.v * height)}`;
    const what = reading.value || `${percent(reading.share)} of the area`;
    const bars = (reading.bars || []).slice(0, 5).map(({ label, probability }) =>
      chanceBar(this.result.names[label], this.result.palette[label], probability));
    card.replaceChildren(head, make("p", "", `${where} · ${what}`), ...bars);
    // Away from the pixel: below it in the upper half, else in the other corner at the top.
    const { x, y } = this.stage.positionOf(at), isLow = y < this.stage.box.clientHeight / 2;
    card.classList.toggle("sv-low", isLow);
    card.classList.toggle("sv-right", !isLow && x < this.stage.box.clientWidth / 2);
  }

  // --- controls ----------------------------------------------------------------------------

  onView(view, tell) {
    this.part("zoom-reset").textContent = `${Math.round(100 * view.zoom)} %`;
    this.part("tooltip").hidden = true;
    this.refreshPin();
    if (tell) this.everywhere((viewer) => viewer !== this && viewer.stage.setView(view, false));
  }

  compare() {
    this.divide(this.stage.divider === null ? 0.5 : null);
  }

  // The divider at this part of the width, or none.
  divide(position) {
    const on = position !== null;
    this.stage.setDivider(position);
    this.part("compare").setAttribute("aria-pressed", String(on));
    for (const tag of this.root.querySelectorAll(".sv-tag")) tag.hidden = !on;
    this.refreshPin();  // it may be on the other side now
  }

  setMode(mode) {
    this.stage.mode = mode;
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    this.stage.repaint();
  }

  setOpacity(percentage) {
    this.stage.opacity = percentage / 100;
    this.part("opacity").value = percentage;
    this.part("opacity").style.setProperty("--part", percentage + "%");
    this.stage.draw();
  }

  async fullscreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (this.root.requestFullscreen) await this.root.requestFullscreen().catch(() => { this.part("fullscreen").title = "The browser refuses full screen here"; });
  }

  toggleHelp() {
    const text = this.part("help-text");
    text.hidden = !text.hidden;
    this.part("help").setAttribute("aria-expanded", String(!text.hidden));
  }

  listen() {
    const on = (name, act) => this.part(name).addEventListener("click", act);
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.addEventListener("click", () => {
        this.hasChosenMode = true;
        this.setMode(button.dataset.mode);
      });
    }
    this.part("opacity").addEventListener("input", (event) => {
      this.hasChosenOpacity = true;
      this.setOpacity(Number(event.target.value));
    });
    on("compare", () => this.compare());
    on("fullscreen", () => this.fullscreen());
    on("help", () => this.toggleHelp());
    on("zoom-in", () => this.stage.zoomAt(1.5));
    on("zoom-out", () => this.stage.zoomAt(1 / 1.5));
    on("zoom-reset", () => this.stage.reset());
    on("back", () => this.enlarge(null));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (!this.result || event.ctrlKey || event.metaKey || event.altKey) return;
    const { stage, replay } = this, pan = 40;
    const sideways = (by) => (replay.frames.length && !event.shiftKey ? replay.step(by) : stage.panBy(-by * pan, 0));
    const anywhere = {
      "+": () => stage.zoomAt(1.25), "=": () => stage.zoomAt(1.25), "-": () => stage.zoomAt(0.8),
      0: () => stage.reset(),
      b: () => this.compare(), f: () => this.fullscreen(),
      escape: () => (this.picture === null ? this.everywhere((viewer) => viewer.setPin(null)) : this.enlarge(null)),
    };
    const onPicture = {
      " ": () => replay.toggle(), arrowleft: () => sideways(-1), arrowright: () => sideways(1),
      arrowup: () => stage.panBy(0, pan), arrowdown: () => stage.panBy(0, -pan),
      home: () => replay.go(0), end: () => replay.go(replay.frames.length), enter: () => this.click(stage.pick(
        stage.box.clientWidth / 2, stage.box.clientHeight / 2)),
    };
    const key = event.key.toLowerCase();
    const act = anywhere[key] || (wantsKey(event.target, key) ? undefined : onPicture[key]);
    if (!act) return;
    event.preventDefault();
    act();
  }
}

window.segdemoViewer = {
  // Called by each gr.HTML once it is on the page; `watch` reports every value sent later.
  mount(element, props, watch, group, label) {
    const viewer = new MaskViewer(element.querySelector(".sv"), group, label);
    viewer.setOpacity(60);
    viewer.show(props.value);
    watch("value", () => viewer.show(props.value));
  },
};
