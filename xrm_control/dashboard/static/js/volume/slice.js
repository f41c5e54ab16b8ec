// One plane on the page: pixels through a colour map, labels over them, cross-hair, wheel, slider.
import { attribute, el, text } from "../dom.js";
import { labelTable, lookup } from "../colour.js";
import { number } from "../format.js";

/** Axes of each plane: rows down, columns across, index along. As positions in (z, y, x). */
export const AXES = { xy: { rows: 1, columns: 2, index: 0 }, xz: { rows: 0, columns: 2, index: 1 }, yz: { rows: 0, columns: 1, index: 2 } };
const NAMES = ["z", "y", "x"];

export class Slice {
  /** @param {"xy"|"xz"|"yz"} plane @param {any} viewer */
  constructor(plane, viewer) {
    this.plane = plane;
    this.viewer = viewer;
    this.axes = AXES[plane];
    this.canvas = el("canvas", { class: "slice-canvas", role: "img", width: 1, height: 1 });
    this.lineX = el("div", { class: "cross cross-x" });
    this.lineY = el("div", { class: "cross cross-y" });
    this.wait = el("div", { class: "slice-wait", hidden: true }, "loading …");
    this.stage = el("div", { class: "slice-stage", on: { wheel: (e) => this.wheel(e), pointerdown: (e) => this.point(e), pointermove: (e) => this.hover(e), pointerleave: () => viewer.probe(null) } }, this.canvas, this.lineX, this.lineY, this.wait);
    this.stage.addEventListener("wheel", (e) => e.preventDefault(), { passive: false });
    this.slider = el("input", { type: "range", min: 0, max: 1, value: 0, "aria-label": `${NAMES[this.axes.index]}, plane ${plane}`, on: { input: () => viewer.go(this.axes.index, Number(this.slider.value)) } });
    this.caption = el("span", { class: "slice-caption" });
    this.head = el("button", { type: "button", class: "quiet plane-name", on: { click: () => viewer.choose(plane) } }, plane);
    this.play = el("button", { type: "button", "aria-pressed": "false", title: "Play (Space)", on: { click: () => { viewer.choose(plane); viewer.togglePlay(); } } }, "▶ Play");
    this.element = el("figure", { class: "slice", data: { plane } }, this.stage, el("figcaption", {}, this.head, this.slider, this.play, this.caption));
  }

  /** @param {number[]} shape (z, y, x) @param {number | null} voxelUm */
  sized(shape, voxelUm) {
    this.shape = shape;
    this.voxelUm = voxelUm;
    attribute(this.slider, "max", shape[this.axes.index] - 1);
    this.stage.style.aspectRatio = `${shape[this.axes.columns]} / ${shape[this.axes.rows]}`;
  }

  async draw(at, map, labels) {
    const index = at[this.axes.index];
    const { store } = this.viewer;
    this.wanted = `${index}/${labels}/${map}`;
    const mine = this.wanted;
    this.place(at);
    // Most of the time one plane moves and two stand still.
    if (mine === this.painted) return;
    let grey = store.now("planes", this.plane, index), marks = labels ? store.now("labels", this.plane, index) : null;
    if (!grey || (labels && !marks)) {
      const late = setTimeout(() => { this.wait.hidden = false; }, 150);
      try {
        [grey, marks] = await Promise.all([store.plane("planes", this.plane, index), labels ? store.plane("labels", this.plane, index) : null]);
      } catch (error) {
        if (mine === this.wanted) text(this.wait, error instanceof Error ? error.message : String(error));
        return;
      } finally { clearTimeout(late); }
      if (mine !== this.wanted) return;
    }
    this.wait.hidden = true;
    text(this.wait, "loading …");
    this.paint(grey, marks, map);
    this.painted = mine;
    this.shown = { grey, marks };
  }

  paint(grey, marks, map) {
    const { canvas } = this;
    if (canvas.width !== grey.columns || canvas.height !== grey.rows || !this.pixels) {
      canvas.width = grey.columns;
      canvas.height = grey.rows;
      this.pixels = new ImageData(grey.columns, grey.rows);
      this.words = new Uint32Array(this.pixels.data.buffer);
    }
    const table = (this.viewer.tables[map] ??= lookup(map));
    const words = /** @type {Uint32Array} */ (this.words), { data } = grey;
    for (let i = 0; i < words.length; i++) words[i] = table[data[i]];
    if (marks) overlay(words, marks.data, grey.columns, this.viewer.lit);
    canvas.getContext("2d")?.putImageData(this.pixels, 0, 0);
    canvas.dataset.index = String(this.viewer.at[this.axes.index]);
  }

  /** Slider, caption and cross-hair at a voxel. */
  place(at) {
    const { rows, columns, index } = this.axes, name = NAMES[index];
    if (Number(this.slider.value) !== at[index]) this.slider.value = String(at[index]);
    const um = this.voxelUm ? `, ${name} = ${number((at[index] - (this.shape[index] - 1) / 2) * this.voxelUm, 4)} µm` : "";
    text(this.caption, `${at[index] + 1} of ${this.shape[index]}${um}`);
    attribute(this.slider, "aria-valuetext", this.caption.textContent);
    attribute(this.canvas, "aria-label", `Plane ${this.plane}, ${this.caption.textContent}`);
    this.lineX.style.left = `${((at[columns] + 0.5) / this.shape[columns]) * 100}%`;
    this.lineY.style.top = `${((at[rows] + 0.5) / this.shape[rows]) * 100}%`;
  }

  voxel(event) {
    const frame = this.canvas.getBoundingClientRect();
    const share = (v, low, size, n) => Math.max(0, Math.min(n - 1, Math.floor(((v - low) / size) * n)));
    return { row: share(event.clientY, frame.top, frame.height, this.shape[this.axes.rows]), column: share(event.clientX, frame.left, frame.width, this.shape[this.axes.columns]) };
  }

  point(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    this.viewer.choose(this.plane);
    this.drag(event);
  }

  drag(event) {
    const { row, column } = this.voxel(event);
    this.viewer.go(this.axes.rows, row, this.axes.columns, column);
  }

  hover(event) {
    if (event.buttons & 1) this.drag(event);
    if (!this.shown) return;
    const { row, column } = this.voxel(event), { grey, marks } = this.shown;
    const i = row * grey.columns + column;
    this.viewer.probe(grey.data[i], marks ? marks.data[i] : null);
  }

  wheel(event) {
    this.viewer.choose(this.plane);
    this.viewer.step(event.deltaY > 0 ? 1 : -1);
  }
}

/** Outlines of labels in their colours; the one that is lit is filled. */
function overlay(words, labels, columns, lit) {
  const colours = labelTable();
  for (let i = 0; i < words.length; i++) {
    const label = labels[i];
    if (label === 0) continue;
    if (labels[i - 1] !== label || labels[i + 1] !== label || labels[i - columns] !== label || labels[i + columns] !== label)
      words[i] = label === lit ? 0xffffffff : colours[label];
    else if (label === lit) words[i] = mix(words[i], colours[label]);
  }
}

const mix = (a, b) => ((255 << 24) | (((a & 0xfe) + (b & 0xfe)) >> 1) | (((a & 0xfe00) + (b & 0xfe00)) >> 1) | (((a & 0xfe0000) + (b & 0xfe0000)) >> 1)) >>> 0;
