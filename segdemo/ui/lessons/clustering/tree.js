// Recursive two-way cuts as a tree that a limit prunes, and the segments that its leaves make.

const ROW = 38, STEPS = [40, 84], MARGIN = 28, LEAF_TEXT = 140, LETTER = 8, WIDEST = 12;  // as many leaves as there are colours
const LARGE_LEAF = 0.03;  // of the photo: three such leaves to begin with, or two
const LEAST_POWER = -4, LARGEST_POWER = -0.3, STEP_POWER = 0.02;  // of ten: the slider of the limit is logarithmic

class CutTree {
  constructor(lesson) {
    this.lesson = lesson;
    this.board = new Board(lesson.part("tree-picture"), (context, size) => this.root && this.paint(context, size));
    this.slider = lesson.part("limit");
    this.slider.addEventListener("input", () => this.prune(Number(this.slider.value)));
    Object.assign(this.slider, { min: LEAST_POWER, step: STEP_POWER });
    new ResizeObserver(() => this.leaves && this.room !== this.roomNow && this.draw()).observe(lesson.part("tree").parentElement);
  }

  // The slider ends where the tree would grow too large to read; it begins with some parts to see.
  load({ tree, image, nodes }) {
    this.root = tree;
    this.pixels = nodes.values.length;
    const count = Math.round((LARGEST_POWER - LEAST_POWER) / STEP_POWER) + 1, all = Array.from({ length: count }, (_, k) => LEAST_POWER + k * STEP_POWER);
    const powers = all.filter((power) => this.leavesOf(tree, 10 ** power).length <= WIDEST);
    this.slider.max = powers.length ? powers.at(-1) : LEAST_POWER;
    this.board.shape(image.naturalWidth, image.naturalHeight);
    const large = (power) => this.leavesOf(tree, 10 ** power).filter((leaf) => leaf.pixels >= LARGE_LEAF * this.pixels).length;
    const some = powers.find((power) => large(power) >= 3) ?? powers.find((power) => large(power) >= 2) ?? powers.find((power) => this.leavesOf(tree, 10 ** power).length >= 5);
    this.prune(some === undefined ? Number(this.slider.max) : some);
  }

  get roomNow() { return this.lesson.part("tree").parentElement.clientWidth; }
  isCut(part, limit) { return part.parts.length > 0 && part.ncut <= limit; }
  leavesOf(part, limit) { return this.isCut(part, limit) ? part.parts.flatMap((half) => this.leavesOf(half, limit)) : [part]; }
  nodesOf(part) { return part.parts.length ? part.parts.flatMap((half) => this.nodesOf(half)) : part.nodes; }

  prune(power) {
    const limit = this.limit = 10 ** power;
    this.slider.value = power;
    this.slider.setAttribute("aria-valuetext", limit.toPrecision(3));
    this.lesson.say("limit-value", limit.toPrecision(3));
    this.leaves = this.leavesOf(this.root, limit);
    this.chosen = null;
    this.leafOfNode = [];
    this.leaves.forEach((leaf, k) => this.nodesOf(leaf).forEach((node) => { this.leafOfNode[node] = k; }));
    this.draw();
    this.say();
    this.board.refresh();
  }

  say() {
    const { chosen, lesson, leaves } = this;
    if (!chosen) {
      lesson.say("tree-caption", html("b", {}, `${plural(leaves.length, "segment")} at the limit ${this.limit.toPrecision(3)}.`), " Choose a node of the tree to see its part alone.");
      return;
    }
    const best = chosen.ncut === null ? "too few superpixels to cut again." : this.isCut(chosen, this.limit) ? `its best cut has Ncut ${chosen.ncut.toPrecision(3)} and was made.`
      : `its best cut has Ncut ${chosen.ncut.toPrecision(3)}${chosen.ncut > this.limit ? ", above the limit" : ", but the tree has parts enough"}: it stays whole.`;
    lesson.say("tree-caption", html("b", {}, `${plural(this.nodesOf(chosen).length, "superpixel")}, ${percent(chosen.pixels / this.pixels)} of the photo:`), ` ${best}`);
  }

  hue(k) { const { hues } = this.lesson.result; return hues[k % hues.length]; }

  // The root stands at the left, every leaf in a row of its own: no part, line or label can cover another.
  draw() {
    const nodes = [], lines = [], canvas = this.lesson.part("tree");
    const depthOf = (part) => (this.isCut(part, this.limit) ? 1 + Math.max(...part.parts.map(depthOf)) : 0), deepest = depthOf(this.root);
    this.room = this.roomNow;
    const step = clamp((this.room - MARGIN - LEAF_TEXT) / Math.max(deepest, 1), ...STEPS);
    let next = 0, width = 0;
    const place = (part, depth) => {
      const x = MARGIN + depth * step, mine = nodes.push(null) - 1;  // a part comes before its own parts
      let y;
      if (this.isCut(part, this.limit)) {
        const places = part.parts.map((half) => place(half, depth + 1)), half = x + step / 2;
        y = (places[0] + places[1]) / 2;
        for (const down of places) lines.push(svg("path", { d: `M${x} ${y}C${half} ${y} ${half} ${down} ${x + step} ${down}` }));
        nodes[mine] = this.makeNode(part, x, y, null);
      } else {
        // A part too small to be cut needs no words where there is no room for them: it has no Ncut.
        const isTerse = part.ncut === null && x + LEAF_TEXT > this.room;
        width = Math.max(width, x + (isTerse ? 24 + LETTER * percent(part.pixels / this.pixels).length : LEAF_TEXT));
        nodes[mine] = this.makeNode(part, x, (y = ROW * (next + 0.5)), this.hue(next), isTerse);
        next += 1;
      }
      return y;
    };
    place(this.root, 0);
    const height = Math.max(ROW * next, 2 * ROW);
    canvas.setAttribute("viewBox", `0 ${(ROW * next - height) / 2} ${width} ${height}`);
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    canvas.replaceChildren(...lines, ...nodes);
  }

  // As large as its part of the photo. Over a part that was cut, its Ncut; beside a leaf, which has the colour of its
  // segment, its share of the photo and the Ncut that its best cut would have.
  makeNode(part, x, y, hue, isTerse = false) {
    const r = 5 + 9 * Math.sqrt(part.pixels / this.pixels), share = percent(part.pixels / this.pixels);
    const text = part.ncut === null ? "too small" : part.ncut < 0.0001 ? "< 0.0001" : part.ncut.toPrecision(hue ? 3 : 2);  // a leaf's is to be compared with the limit
    const group = svg("g", { tabindex: 0, role: "button", class: part === this.chosen ? "cl-chosen" : "", "aria-label": `${share} of the photo, Ncut ${text}` }, svg("circle", { cx: x, cy: y, r, fill: hue || "var(--ground)" }));
    if (hue) {
      const stop = svg("tspan", { class: part.ncut === null ? "cl-ncut" : "cl-ncut cl-stop", dx: 8 }, isTerse ? "" : text);
      group.append(svg("text", { x: x + r + 7, y: y + 5, class: "cl-leaf" }, share, stop));
    } else {
      group.append(svg("text", { x, y: y - r - 5, class: "cl-ncut" }, text));
    }
    const choose = () => {
      this.chosen = this.chosen === part ? null : part;
      for (const other of this.lesson.part("tree").querySelectorAll("g")) other.classList.toggle("cl-chosen", other === group && this.chosen === part);
      this.say();
      this.board.refresh();
    };
    group.addEventListener("click", choose);
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    });
    return group;
  }

  paint(context, size) {
    const inside = this.chosen && new Set(this.nodesOf(this.chosen)), leaf = (node) => this.leafOfNode[node];
    const pixels = this.leaves.map((_, k) => pixelOf(this.hue(k), 165)), dark = pixelOf("#000000", 190);
    this.lesson.paintNodes(context, size, (node) => (inside ? (inside.has(node) ? 0 : dark) : pixels[leaf(node)]), { photo: inside ? this.lesson.result.image : this.lesson.pale, lines: null });
    const { nodes } = this.lesson.result;
    drawLayer(context, boundaryLayer({ ...nodes, values: nodes.values.map(leaf) }, pixelOf("#ffffff", inside ? 110 : 255)), size);
  }
}
