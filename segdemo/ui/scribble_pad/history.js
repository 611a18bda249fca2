// Undo and redo. A state is an array of strokes; arrays and strokes never change, so keeping states is cheap.

const MOST_STATES = 1000;

class History {
  constructor() { this.begin([]); }

  begin(state) {
    this.states = [state];
    this.at = 0;
  }

  get state() { return this.states[this.at]; }
  get canUndo() { return this.at > 0; }
  get canRedo() { return this.at < this.states.length - 1; }

  add(state) {
    this.states = [...this.states.slice(0, this.at + 1), state].slice(-MOST_STATES);
    this.at = this.states.length - 1;
  }

  // Both say whether there was anything to do.
  undo() { return this.go(-1, this.canUndo); }
  redo() { return this.go(1, this.canRedo); }

  go(by, can) {
    if (can) this.at += by;
    return can;
  }
}
