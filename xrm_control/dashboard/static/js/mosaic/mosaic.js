// The mosaic as the desktop: picture, regions over it, gestures and its few buttons, put together.
import { attribute, coalesced, el, text } from "../dom.js";
import { number } from "../format.js";
import { draw } from "./canvas.js";
import { Gestures } from "./gestures.js";
import { Overlay } from "./overlay.js";
import { extent, View } from "./view.js";

/** Emits "choose" (name), "hover" (name), "wish" ({x_um, y_um, width_um?, height_um?}), "background". */
export class Mosaic extends EventTarget {
  constructor() {
    super();
    this.view = new View();
    this.mosaic = { tiles: [], picture: "", width_um: 0 };
    /** @type {any[] | null} */ this.discs = null;
    this.canvas = el("canvas", { class: "mosaic-canvas", role: "img", "aria-label": "Mosaic" });
    this.overlay = new Overlay(this.view, { choose: (name) => this.tell("choose", name), hover: (name) => this.hover(name) });
    this.drawButton = el("button", { type: "button", "aria-pressed": "false", "aria-keyshortcuts": "b", title: "Draw a box to scan (b); Shift and drag does the same", on: { click: () => this.drawMode(!this.gestures.drawing) } }, "Draw region");
    const button = (label, sign, act, key) => el("button", { type: "button", "aria-label": label, title: `${label} (${key})`, "aria-keyshortcuts": key, on: { click: act } }, sign);
    this.cursorText = el("span", { class: "cursor-um", "aria-hidden": "true" });
    this.empty = el("p", { class: "mosaic-empty says-none" }, "No tile yet. Tiles appear here at their place on the stage as they come.");
    this.stage = el("div", { class: "mosaic-stage", tabindex: 0, role: "application", "aria-label": "Mosaic in stage coordinates. Arrow keys move it, plus and minus zoom, 0 shows all, b draws a region." }, this.canvas, this.overlay.element, this.empty, this.cursorText);
    this.tools = el("div", { class: "mosaic-tools" }, this.drawButton,
      el("span", { class: "zoom-tools" }, button("Zoom in", "+", () => this.zoom(1.4), "+"), button("Zoom out", "−", () => this.zoom(1 / 1.4), "-"), button("Show all", "All", () => this.fit(), "0")));
    this.element = el("section", { class: "panel mosaic", "aria-label": "Mosaic" }, this.tools, this.stage);
    this.gestures = new Gestures(this.stage, this.view, {
      moved: () => this.draw(),
      draft: (box) => { this.overlay.draft = box; this.draw(); },
      box: (box) => { this.drawMode(false); this.tell("wish", box); },
      point: (x_um, y_um) => { this.drawMode(false); this.tell("wish", { x_um, y_um }); },
      background: () => this.tell("background"),
      cursor: (x, y) => text(this.cursorText, x === null ? "" : `x ${number(Math.round(x * 10) / 10)} µm, y ${number(Math.round((y ?? 0) * 10) / 10)} µm`),
    });
    this.draw = coalesced(() => this.paint());
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.stage);
  }

  tell(type, detail = null) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  set(mosaic, regions) {
    if (mosaic === this.mosaic && regions === this.overlay.regions) return;
    this.mosaic = mosaic;
    this.overlay.regions = regions;
    this.empty.hidden = mosaic.tiles.length > 0 || regions.length > 0 || Boolean(mosaic.picture);
    const kept = mosaic.tiles.filter((tile) => tile.outcome === "kept").length;
    attribute(this.canvas, "aria-label", `Mosaic: ${kept} of ${mosaic.tiles.length} tiles, ${regions.length} regions`);
    const box = extent(mosaic, regions);
    const grown = JSON.stringify(box);
    if (this.view.following && box && grown !== this.extentBefore) this.view.fit(box);
    this.extentBefore = grown;
    this.draw();
  }

  choose(name) { this.overlay.mark("chosen", name); }

  hover(name, tell = true) {
    this.overlay.mark("hovered", name);
    if (tell) this.tell("hover", name);
  }

  /** The box that is asked about, or null. */
  draft(box) { this.overlay.draft = box; attribute(this.empty, "data-quiet", box !== null); this.draw(); }

  drawMode(on) {
    this.gestures.drawing = on && !this.drawButton.hasAttribute("aria-disabled");
    attribute(this.drawButton, "aria-pressed", String(this.gestures.drawing));
    attribute(this.stage, "data-drawing", this.gestures.drawing);
  }

  zoom(factor) { this.view.zoom(factor); this.draw(); }

  fit() {
    const box = extent(this.mosaic, this.overlay.regions);
    if (box) this.view.fit(box);
    this.view.following = true;
    this.draw();
  }

  /** Bring a region into sight when it is out of it. */
  reveal(region) {
    const [x, y] = this.view.toPx(region.x_um, region.y_um);
    if (x < 20 || y < 20 || x > this.view.width - 20 || y > this.view.height - 20) {
      this.view.x_um = region.x_um;
      this.view.y_um = region.y_um;
      this.view.following = false;
      this.draw();
    }
  }

  resize() {
    const { clientWidth, clientHeight } = this.stage;
    if (!clientWidth || !clientHeight) return;
    this.view.width = clientWidth;
    this.view.height = clientHeight;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    const box = extent(this.mosaic, this.overlay.regions);
    if (this.view.following && box) this.view.fit(box);
    this.paint();
  }

  paint() {
    const context = this.canvas.getContext("2d");
    if (context) draw(context, this.view, this.mosaic, this.discs, this.draw);
    this.overlay.draw();
  }

  key(event) {
    if (event.key === "0") this.fit();
    else if (event.key === "b") this.drawMode(!this.gestures.drawing);
    else if (event.key === "Escape" && this.gestures.drawing) this.drawMode(false);
    else return document.activeElement?.closest?.(".log, .regions-list") ? false : this.gestures.key(event);
    return true;
  }

  close() { this.resized.disconnect(); }
}
