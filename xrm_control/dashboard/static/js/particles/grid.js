// Rows of a table, only those in sight; a head that stays.
import { attribute, el, put, text } from "../dom.js";
import { number } from "../format.js";

/** Four digits, zeros at the end kept, so that points stand under each other. */
function aligned(value) {
  const size = Math.abs(value);
  return Number.isInteger(value) || size >= 1e4 || size < 1e-3 ? number(value, 4) : value.toPrecision(4);
}

const ROW_PX = 28;
const SPARE = 10;

export class Grid {
  /** @param {{choose: (row: any[]) => void, sort: (name: string) => void}} on */
  constructor(on) {
    this.on = on;
    this.rows = [];
    /** @type {any[] | null} */ this.chosen = null;
    this.head = el("tr", {});
    this.above = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", {}));
    this.below = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", {}));
    this.body = el("tbody", {});
    this.empty = el("p", { class: "muted pad", hidden: true }, "No particle matches the filter.");
    this.table = el("table", { class: "grid" }, el("thead", {}, this.head), this.body);
    this.element = el("div", { class: "grid-scroll", tabindex: 0, "aria-label": "Table of particles", role: "region", on: { scroll: () => this.draw() } }, this.table, this.empty);
    this.sized = new ResizeObserver(() => this.draw());
    this.sized.observe(this.element);
  }

  columns(columns, sort) {
    this.shown = columns;
    put(this.head, columns.map((c) => {
      const sorted = sort.name === c.name;
      return el("th", { scope: "col", title: `${c.meaning}${c.unit ? `, in ${c.unit}` : ""} (${c.name})`, "aria-sort": sorted ? (sort.falling ? "descending" : "ascending") : null },
        el("button", { type: "button", class: "quiet", on: { click: () => this.on.sort(c.name) } }, c.heading, c.unit ? el("span", { class: "muted" }, ` ${c.unit}`) : "", sorted ? (sort.falling ? " ↓" : " ↑") : ""));
    }));
    this.pool = [];
    put(this.body);
  }

  show(rows) {
    this.rows = rows;
    this.empty.hidden = rows.length > 0;
    attribute(this.table, "aria-rowcount", rows.length + 1);
    this.draw();
  }

  reveal(row) {
    const at = this.rows.indexOf(row) * ROW_PX, { scrollTop, clientHeight } = this.element;
    if (at < scrollTop || at > scrollTop + clientHeight - 3 * ROW_PX) this.element.scrollTop = Math.max(0, at - clientHeight / 2);
  }

  draw() {
    if (!this.shown) return;
    const first = Math.max(0, Math.min(this.rows.length, Math.floor(this.element.scrollTop / ROW_PX)) - SPARE);
    const count = Math.ceil((this.element.clientHeight || 600) / ROW_PX) + 2 * SPARE;
    const rows = this.rows.slice(first, first + count);
    while (this.pool.length < rows.length) this.pool.push(this.make());
    rows.forEach((row, i) => this.fill(this.pool[i], row, first + i));
    const nodes = this.pool.slice(0, rows.length);
    this.above.firstChild.style.height = `${first * ROW_PX}px`;
    this.below.firstChild.style.height = `${Math.max(0, this.rows.length - first - rows.length) * ROW_PX}px`;
    if (this.body.children.length !== nodes.length + 2 || this.body.children[1] !== nodes[0]) put(this.body, this.above, nodes, this.below);
  }

  make() {
    const node = el("tr", { class: "grid-row", on: { click: () => this.on.choose(node.row) } }, this.shown.map((_, i) => (i ? el("td", {}) : el("td", {}, el("button", { type: "button", class: "quiet cell-button" })))));
    return node;
  }

  fill(node, row, index) {
    attribute(node, "aria-selected", row === this.chosen ? "true" : null);
    attribute(node, "aria-rowindex", index + 2);
    if (node.row === row) return;
    node.row = row;
    this.shown.forEach((column, i) => {
      const value = row[column.at];
      const cell = i ? node.children[i] : node.children[0].firstChild;
      text(cell, typeof value === "number" ? (column.name === "particle_id" ? String(value) : aligned(value)) : value === null ? "" : String(value));
      attribute(node.children[i], "class", typeof value === "number" ? "num" : null);
    });
  }
}
