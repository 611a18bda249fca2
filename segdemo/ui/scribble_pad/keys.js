// The pad without a pointer: the arrow keys move a cursor, Space or Enter puts the brush down under it and lifts it again.

const STRIDE = 6, LONG_STRIDE = 36;  // CSS pixels
const MARGIN = 24;  // CSS pixels that a zoomed photo keeps between the cursor and the stage's edge
const SAID_MS = 400;  // a place is read out once the cursor rests

const ARROWS = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };

class Keyboard {
  constructor(pad) {
    Object.assign(this, { pad, isUsed: false });
    this.begin();
    this.cursor = pad.part("cursor");
    this.canvas = pad.view.canvas;
    pad.root.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("focus", () => this.use(this.canvas.matches(":focus-visible")));
    this.canvas.addEventListener("blur", () => { this.lift(); this.use(false); });
  }

  // Another photo: the cursor in its middle, the brush up.
  begin() { Object.assign(this, { at: [0.5, 0.5], isDown: false }); }

  // What a key does: on the photo itself, and anywhere on the pad.
  actionOf(key, event) {
    const { pad } = this, arrow = ARROWS[key];
    if (event.ctrlKey || event.metaKey) {
      return { z: () => (event.shiftKey ? pad.redo() : pad.undo()), y: () => pad.redo() }[key];
    }
    if (event.target === this.canvas) {
      if (arrow) return () => this.move(arrow, event.shiftKey ? LONG_STRIDE : STRIDE);
      const own = { " ": () => this.toggle(event), enter: () => this.toggle(event), escape: this.isDown && (() => this.giveUp()),
        pageup: () => this.zoom(1.25), pagedown: () => this.zoom(0.8) }[key];
      if (own) return own;
    }
    if (pad.brushOf(Number(key))) return () => pad.choose(Number(key));
    return { e: () => pad.choose(0), b: () => pad.takeBox(), h: () => pad.takeHand(), 0: () => pad.view.reset(),
      "[": () => pad.resize(-4), "]": () => pad.resize(4), "-": () => pad.resize(-4), "+": () => pad.resize(4), "=": () => pad.resize(4) }[key];
  }

  onKey(event) {
    const key = event.key.toLowerCase(), act = this.actionOf(key, event), isCommand = event.ctrlKey || event.metaKey;
    if (!act || event.altKey || (event.target.matches("input") && !isCommand)) return;
    event.preventDefault();
    if (event.target === this.canvas) this.use(true);
    const goesOn = key in ARROWS || [" ", "enter", "escape", "pageup", "pagedown"].includes(key);
    if (!goesOn) this.lift();
    act();
    this.place();
  }

  // --- the brush -----------------------------------------------------------------------------

  toggle(event) {
    if (!this.pad.photo || event.repeat) return;  // a key that is held down puts the brush down once
    if (this.isDown) return this.lift();
    this.isDown = true;
    this.pad.beginAt(this.at, this.pad.label);
    this.say(this.pad.current.box ? "Box begun: move to its other corner." : `${this.brushName} down.`);
  }

  lift() {
    if (!this.isDown) return;
    this.isDown = false;
    this.pad.finish();
    this.say(`Lifted. ${this.pad.strokes.length} strokes.`);
  }

  giveUp() {
    this.isDown = false;
    this.pad.abandon();
    this.say("Stroke given up.");
  }

  get brushName() { return (this.pad.brushOf(this.pad.label) || ERASER).name; }

  // --- the cursor ----------------------------------------------------------------------------

  move([x, y], stride) {
    const { pad } = this, { view } = pad;
    if (!pad.photo) return;
    if (pad.isHand) return view.panBy(-x * 40, -y * 40);
    const { width, height } = view.place;
    this.at = [inPhoto(this.at[0] + (x * stride) / width), inPhoto(this.at[1] + (y * stride) / height)];
    if (this.isDown) pad.extendTo(this.at);
    this.follow();
    clearTimeout(this.speaking);
    const [across, down] = this.at.map((part) => Math.round(100 * part));
    this.speaking = setTimeout(() => this.say(`${across} % across, ${down} % down.`), SAID_MS);
  }

  // Move a zoomed photo so that the cursor stays in sight.
  follow() {
    const { view } = this.pad, { x, y } = view.fromPhoto(this.at), { clientWidth, clientHeight } = view.stage;
    const beyond = (at, room) => Math.min(at - MARGIN, 0) + Math.max(at + MARGIN - room, 0);
    view.panBy(-beyond(x, clientWidth), -beyond(y, clientHeight));
  }

  zoom(factor) {
    const { x, y } = this.pad.view.fromPhoto(this.at);
    this.pad.view.zoomAt(factor, x, y);
  }

  use(isUsed) {
    this.isUsed = isUsed;
    if (isUsed) this.pad.part("ring").hidden = true;
    this.place();
  }

  // Lay the cursor over its point of the photo, as large as the brush.
  place() {
    const { pad, cursor } = this;
    cursor.hidden = !(this.isUsed && pad.photo);
    if (cursor.hidden) return;
    const { x, y } = pad.view.fromPhoto(this.at), brush = pad.brushOf(pad.label), size = `${pad.widthOf(pad.label)}px`;
    cursor.classList.toggle("pad-down", this.isDown);
    cursor.style.color = brush ? brush.colour : "#fff";
    Object.assign(cursor.style, { width: size, height: size, left: `${x}px`, top: `${y}px` });
  }

  say(text) { this.pad.part("said").textContent = text; }
}
