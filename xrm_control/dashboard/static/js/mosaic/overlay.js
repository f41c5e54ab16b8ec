// Regions over the mosaic, and the box that is being drawn: SVG, so that each can be hovered, focused and clicked.
import { attribute, keyed, svg, text } from "../dom.js";
import { regionStyle } from "../colour.js";
import { around } from "./view.js";

export class Overlay {
  /** @param {import("./view.js").View} view @param {{choose: (name: string) => void, hover: (name: string) => void}} on */
  constructor(view, on) {
    this.view = view;
    this.on = on;
    this.regions = [];
    /** @type {Map<string, any>} */ this.nodes = new Map();
    this.chosen = "";
    this.hovered = "";
    /** @type {{x_um: number, y_um: number, width_um: number, height_um: number} | null} */
    this.draft = null;
    this.boxes = svg("g", {});
    this.draftBox = svg("rect", { class: "draft-box", visibility: "hidden" });
    this.element = svg("svg", { class: "overlay", role: "group", "aria-label": "Regions" }, this.boxes, this.draftBox);
  }

  /** What is chosen or hovered changes two regions; all others stay as they are drawn. */
  mark(which, name) {
    const before = this[which];
    this[which] = name;
    for (const region of this.regions) {
      const node = region.name === before || region.name === name ? this.nodes.get(region.name) : null;
      if (node) this.update(node, region);
    }
  }

  draw() {
    const { view } = this;
    attribute(this.element, "viewBox", `0 0 ${view.width} ${view.height}`);
    if (this.nodes.size > this.regions.length) this.nodes.clear();
    keyed(this.boxes, this.regions, (r) => r.name, (r) => this.make(r), (node, r) => { this.nodes.set(r.name, node); this.update(node, r); });
    if (this.draft) place(this.draftBox, view, this.draft);
    attribute(this.draftBox, "visibility", this.draft ? "visible" : "hidden");
  }

  make(region) {
    const { name } = region;
    const g = svg("g", {
      class: "region", role: "button", tabindex: 0,
      on: {
        click: () => this.on.choose(name),
        keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); this.on.choose(name); } },
        pointerenter: () => this.on.hover(name),
        pointerleave: () => this.on.hover(""),
      },
    }, svg("rect", { class: "halo" }), svg("rect", { class: "box" }), svg("text", { class: "name" }), " ", svg("text", { class: "state" }), svg("rect", { class: "done" }));
    [g.halo, g.box, g.nameText, g.stateText, g.doneBar] = g.children;
    return g;
  }

  update(g, region) {
    const style = regionStyle(region.state);
    const [x, y, w, h] = place(g.box, this.view, region);
    place(g.halo, this.view, region);
    attribute(g.box, "stroke", style.colour);
    attribute(g.box, "stroke-dasharray", style.dash || null);
    attribute(g, "class", `region${region.name === this.chosen ? " chosen" : ""}${region.name === this.hovered ? " hovered" : ""}`);
    const share = region.planned > 0 ? region.done / region.planned : 0;
    const busy = region.state === "scanning";
    const inside = w > 64;
    const told = w > 22 || region.name === this.hovered || region.name === this.chosen;
    text(g.nameText, told ? region.name : "");
    text(g.stateText, w > 76 ? `${style.word.split(",")[0]}${busy ? ` ${Math.round(100 * share)} %` : ""}` : "");
    for (const [node, dy] of [[g.nameText, 14], [g.stateText, 28]]) {
      attribute(node, "x", inside ? x + 5 : x - 1);
      attribute(node, "y", inside ? y + dy : y - 5);
      attribute(node, "fill", style.colour);
    }
    for (const [key, value] of [["x", x], ["y", y + h - 4], ["width", busy ? w * share : 0], ["height", 4]]) attribute(g.doneBar, key, value);
    attribute(g.doneBar, "fill", style.colour);
    attribute(g, "aria-label", `${region.name} ${style.word.split(",")[0]}${busy ? ` ${Math.round(100 * share)} %` : ""}, ${region.done} of ${region.planned} frames`);
    attribute(g, "aria-pressed", String(region.name === this.chosen));
  }
}

function place(node, view, thing) {
  const box = around(thing);
  const [x, y] = view.toPx(box.x0, box.y0);
  const w = (box.x1 - box.x0) * view.scale, h = (box.y1 - box.y0) * view.scale;
  for (const [key, value] of [["x", x], ["y", y], ["width", Math.max(0, w)], ["height", Math.max(0, h)]]) attribute(node, key, Number(value.toFixed(1)));
  return [x, y, w, h];
}
