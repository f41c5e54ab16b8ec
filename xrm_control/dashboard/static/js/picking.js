// Two runs are picked with their boxes, wherever runs stand in a table, and put side by side.
import { attribute, el } from "./dom.js";

export class Picker {
  constructor() {
    /** @type {Set<string>} */ this.picked = new Set();
    this.button = el("button", { type: "button", "aria-disabled": "true", on: { click: () => this.go() } }, "");
    this.offer();
  }

  /** The box of one run. @param {string} name */
  box(name) {
    const box = el("input", { type: "checkbox", checked: this.picked.has(name), "aria-label": `Compare ${name}`, on: { change: () => this.pick(name, box.checked) } });
    return box;
  }

  pick(name, on) {
    if (on) this.picked.add(name);
    else this.picked.delete(name);
    this.offer();
  }

  /** Says what is missing, where a finger cannot hover, too. */
  offer() {
    const n = this.picked.size;
    this.button.textContent = n === 2 ? "Compare these two" : n > 2 ? `Compare two (${n} ticked)` : n ? "Compare with … (tick one more)" : "Compare: tick two";
    attribute(this.button, "aria-disabled", n === 2 ? null : "true");
    attribute(this.button, "class", n === 2 ? "primary" : null);
  }

  go() {
    if (this.picked.size === 2) location.hash = `#/compare/${[...this.picked].map(encodeURIComponent).join("/")}`;
  }
}
