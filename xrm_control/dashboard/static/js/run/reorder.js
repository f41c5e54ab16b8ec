// The order of the regions that wait: changed by dragging a row, by its buttons, or with Alt and an arrow.
import { attribute, el } from "../dom.js";
import { say } from "../said.js";

/** Whether nothing of a region was begun. */
export const waits = (region) => region.state === "waiting" && !region.planned;

export class Reorder {
  /** @param {import("./orders.js").Orders} orders */
  constructor(orders) {
    this.orders = orders;
    /** @type {string[]} */ this.waiting = [];
    this.dragged = "";
    this.hint = el("p", { class: "muted small", hidden: true }, "Those that wait are scanned in this order: drag them, or use ↑ ↓ (Alt and an arrow).");
  }

  /** What a row is given once. */
  furnish(node, name) {
    const move = (words, by, label) => el("button", { type: "button", class: "quiet step", "aria-label": `${label}: ${name}`, on: { click: (event) => { if (event.currentTarget.hasAttribute("aria-disabled")) say(`${label}: ${event.currentTarget.title}`); else void this.shift(name, by); } } }, words);
    node.steps = [move("↑", -1, "Scan earlier"), move("↓", 1, "Scan later")];
    node.append(el("span", { class: "steps" }, node.steps));
    node.addEventListener("dragstart", (event) => { this.dragged = name; event.dataTransfer.effectAllowed = "move"; event.dataTransfer.setData("text/plain", name); });
    node.addEventListener("dragend", () => this.end());
    node.addEventListener("dragover", (event) => { if (this.takes(name)) { event.preventDefault(); this.mark(node, name); } });
    node.addEventListener("dragleave", () => attribute(node, "data-drop", null));
    node.addEventListener("drop", (event) => { event.preventDefault(); void this.dropped(name); });
    node.button.addEventListener("keydown", (event) => {
      if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
      event.preventDefault();
      event.stopPropagation();
      if (this.may().possible) void this.shift(name, event.key === "ArrowUp" ? -1 : 1);
      else say(`Order: ${this.may().reason}`);
    });
  }

  /** All rows as they stand. */
  update(regions, nodes) {
    this.waiting = regions.filter(waits).map((r) => r.name);
    const { possible, reason } = this.may();
    this.hint.hidden = this.waiting.length < 2;
    for (const [at, region] of regions.entries()) {
      const node = nodes[at], place = this.waiting.indexOf(region.name);
      node.steps[0].parentElement.hidden = this.waiting.length < 2 || place < 0;
      attribute(node, "data-waits", place >= 0);
      attribute(node, "draggable", place >= 0 && possible ? "true" : null);
      attribute(node, "class", place >= 0 && possible ? "movable" : null);
      node.steps.forEach((button, down) => {
        const why = place < 0 ? "its scan has begun" : !possible ? reason : place === (down ? this.waiting.length - 1 : 0) ? "it stands there already" : "";
        attribute(button, "aria-disabled", why ? "true" : null);
        attribute(button, "title", why || null);
      });
    }
  }

  may() { return this.orders.may("order"); }

  takes(name) { return this.dragged && this.dragged !== name && this.waiting.includes(name) && this.waiting.includes(this.dragged); }

  mark(node, name) { attribute(node, "data-drop", this.waiting.indexOf(this.dragged) < this.waiting.indexOf(name) ? "after" : "before"); }

  end() {
    this.dragged = "";
    for (const node of document.querySelectorAll("[data-drop]")) attribute(node, "data-drop", null);
  }

  /** Behind the row when it came from above, in front of it when it came from below. */
  async dropped(name) {
    const takes = this.takes(name), moved = this.dragged, to = this.waiting.indexOf(name);
    this.end();
    if (takes) await this.send(moved, to);
  }

  async shift(name, by) {
    const to = this.waiting.indexOf(name) + by;
    if (to >= 0 && to < this.waiting.length) await this.send(name, to);
  }

  /** Only as much of the order as changes: what is begun meanwhile further down is nobody's concern. */
  async send(name, to) {
    const order = this.waiting.filter((one) => one !== name);
    order.splice(to, 0, name);
    await this.orders.send({ kind: "order", rois: order.slice(0, this.last(order) + 1) });
  }

  last(order) { return order.reduce((last, name, at) => (name !== this.waiting[at] ? at : last), 0); }
}
