// The regions as a list, in the order in which they are scanned.
import { attribute, el, keyed, text } from "../dom.js";
import { number } from "../format.js";
import { regionStyle } from "../colour.js";

export class RegionList {
  /** @param {{choose: (name: string) => void, hover: (name: string) => void}} on @param {import("./reorder.js").Reorder} order */
  constructor(on, order) {
    this.on = on;
    this.order = order;
    this.rows = el("ul", { class: "regions-list" });
    this.count = el("span", { class: "muted" });
    this.empty = el("p", { class: "muted says-none" }, "None yet. Draw a box on the mosaic, or double-click it, to have a place scanned; the recipe's strategy chooses others.");
    this.element = el("section", { class: "panel regions", "aria-labelledby": "regions-head" }, el("div", { class: "panel-head" }, el("h2", { id: "regions-head" }, "Regions"), this.count), this.empty, order.hint, this.rows);
  }

  update(regions, chosen) {
    this.empty.hidden = regions.length > 0;
    const ended = regions.filter((r) => r.state === "reported" || r.state === "quarantined").length;
    text(this.count, regions.length ? `${ended} of ${regions.length} finished` : "");
    keyed(this.rows, regions, (r) => r.name, (r) => this.make(r.name), (node, r) => {
      const style = regionStyle(r.state);
      const [swatch, name, state, result] = node.button.children;
      attribute(node.button, "aria-pressed", String(r.name === chosen));
      if (swatch.colour !== style.colour) { swatch.colour = style.colour; swatch.style.backgroundColor = style.colour; }
      attribute(swatch, "data-state", r.state);
      text(name, r.name);
      text(state, r.state === "scanning" && r.planned ? `scanning ${Math.round((100 * r.done) / r.planned)} %` : style.word.split(",")[0]);
      text(result, r.particles === null ? (r.state === "waiting" ? `~${number(r.expected_particles)} expected` : "") : `${number(r.particles)} particles${r.voided === null ? "" : `, ${number(r.voided)}\u00a0voided`}`);
      attribute(node, "data-trust", r.trust || null);
      text(node.trust, r.trust === "pass" ? "✓" : r.trust === "doubt" ? "?" : r.trust === "redo" ? "↻" : "");
      attribute(node.trust, "title", r.trust ? `trust: ${r.trust}${r.doubts.length ? `: ${r.doubts.join("; ")}` : ""}` : null);
    });
    this.order.update(regions, [...this.rows.children]);
  }

  /** Only what is chosen has changed. */
  choose(name) {
    for (const node of this.rows.children) attribute(/** @type {any} */ (node).button, "aria-pressed", String(/** @type {any} */ (node).xrmKey === name));
  }

  make(name) {
    const trust = el("span", { class: "trust" });
    const button = el("button", { type: "button", class: "region-row", on: { click: () => this.on.choose(name), pointerenter: () => this.on.hover(name), pointerleave: () => this.on.hover("") } },
      el("span", { class: "swatch", "aria-hidden": "true" }), el("span", { class: "region-name" }), el("span", { class: "region-state" }), el("span", { class: "region-result" }), trust);
    const node = el("li", {}, button);
    node.button = button;
    node.trust = trust;
    this.order.furnish(node, name);
    return node;
  }
}
