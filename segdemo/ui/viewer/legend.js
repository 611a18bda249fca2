// The legend: one button per label, largest share first.

const FEW_LABELS = 40, MOST_ROWS = 500;

class Legend {
  // onChange() after the choice has changed, onHighlight(label or null) while a row is pointed at.
  constructor(box, onChange, onHighlight) {
    this.box = box;
    this.onChange = onChange;
    this.onHighlight = onHighlight;
    this.visible = new Uint8Array(0);
    this.rows = new Map();
  }

  show(result) {
    this.result = result;
    this.visible = new Uint8Array(result.names.length).fill(1);
    for (const label of result.hidden) this.visible[label] = 0;
    this.rows.clear();
    this.box.replaceChildren();
    const order = [...result.listed].sort((a, b) => result.shares[b] - result.shares[a] || a - b);
    this.showAll = make("button", "sv-all", "Show all");
    this.showAll.type = "button";
    this.showAll.dataset.testid = "show-all";
    this.showAll.addEventListener("click", () => this.choose(() => 1));
    if (order.length > FEW_LABELS) this.box.append(this.summary(order), this.showAll);
    else this.box.append(...order.map((label) => this.row(label)), this.showAll);
    this.update(null);
  }

  row(label) {
    const { names, palette } = this.result;
    const row = make("button", "sv-label");
    row.type = "button";
    row.dataset.testid = "legend-item";
    row.dataset.label = label;
    row.title = "click: hide or show; double click: show alone";
    const share = make("span", "sv-share");
    row.append(swatch(palette[label]), make("span", "sv-name", names[label]), share);
    row.addEventListener("click", (event) => event.altKey ? this.solo(label) : this.toggle(label));
    row.addEventListener("dblclick", () => this.solo(label));
    row.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.onHighlight(label));
    row.addEventListener("pointerleave", () => this.onHighlight(null));
    this.rows.set(label, { row, share });
    return row;
  }

  // For superpixels: a line of figures, the rows only when asked for.
  summary(order) {
    const shares = order.map((label) => this.result.shares[label]);
    const details = make("details", "sv-many");
    const line = make("summary", "", `${order.length.toLocaleString("en")}\u00a0labels`);
    line.dataset.testid = "legend-summary";
    const figures = `median ${percent(shares[shares.length >> 1])}, largest ${percent(shares[0])}`;
    line.append(make("span", "sv-share", figures));
    const list = make("div", "sv-scroll");
    details.append(line, list);
    details.addEventListener("toggle", () => {
      if (!details.open || list.childElementCount) return;
      list.append(...order.slice(0, MOST_ROWS).map((label) => this.row(label)));
      if (order.length > MOST_ROWS) list.append(make("p", "sv-more", `the ${MOST_ROWS} largest are listed`));
      this.update(this.shares);
    });
    return details;
  }

  toggle(label) {
    this.visible[label] ^= 1;
    this.update(this.shares);
    this.onChange();
  }

  solo(label) {
    const alone = this.visible[label] && this.visible.reduce((sum, shown) => sum + shown, 0) === 1;
    this.choose((other) => (alone || other === label ? 1 : 0));
  }

  choose(isShown) {
    this.visible.forEach((_, label) => (this.visible[label] = isShown(label)));
    this.update(this.shares);
    this.onChange();
  }

  // shares: a Map of the replay's frame, or null for those of the result.
  update(shares) {
    this.shares = shares;
    for (const [label, { row, share }] of this.rows) {
      const part = shares ? shares.get(label) || 0 : this.result.shares[label];
      row.setAttribute("aria-pressed", String(Boolean(this.visible[label])));
      row.classList.toggle("sv-absent", part === 0);
      row.style.setProperty("--share", 100 * part + "%");
      share.textContent = percent(part);
    }
    this.showAll.disabled = this.visible.every((shown) => shown);
  }
}
