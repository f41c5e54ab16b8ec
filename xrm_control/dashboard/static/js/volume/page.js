// Slices of a region's volume: three planes with one cross-hair, one contrast, played at 30 a second.
import { get, runPath } from "../api.js";
import { lookup } from "../colour.js";
import { coalesced, el, put, text } from "../dom.js";
import { number } from "../format.js";
import { PlaneStore } from "./planes.js";
import { Slice } from "./slice.js";

const PLANES = /** @type {const} */ (["xy", "xz", "yz"]);
const PLAY_MS = 1000 / 30;

/** @returns {Promise<import("../main.js").Page>} */
export async function open(main, [run, roi], { title, query }) {
  title(el("a", { class: "run-name", href: `#/run/${encodeURIComponent(run)}` }, run), el("span", { class: "nowrap" }, `· slices of ${roi}`));
  const about = await get(runPath(run, "regions", roi, "planes"), { timeoutMs: 60000 });
  return new Viewer(main, run, roi, about, query);
}

class Viewer {
  constructor(main, run, roi, about, query) {
    this.about = about;
    this.store = new PlaneStore(run, roi);
    /** lookup tables by name */ this.tables = {};
    this.lit = Number(query.get("label")) || -1;
    const centre = about.shape.map((n) => Math.floor((n - 1) / 2));
    this.at = ["z", "y", "x"].map((axis, i) => this.voxelOf(query.get(axis), i) ?? centre[i]);
    this.active = "xy";
    this.direction = 1;
    this.slices = Object.fromEntries(PLANES.map((plane) => [plane, new Slice(plane, this)]));
    this.map = el("select", { on: { change: () => this.redraw() } }, [["grey", "grey"], ["inverse", "grey, inverted"], ["viridis", "viridis"]].map(([v, w]) => el("option", { value: v }, w)));
    this.labels = el("input", { type: "checkbox", checked: about.labels && this.lit > 0, disabled: !about.labels, on: { change: () => this.redraw() } });
    this.probed = el("span", { class: "probe muted" });
    this.ramp = el("canvas", { class: "slice-ramp", width: 256, height: 1, "aria-hidden": "true" });
    const [z, y, x] = about.shape, v = about.voxel_size_um;
    this.element = el("div", { class: "volume" },
      el("div", { class: "panel panel-head wrap" }, el("h1", {}, `Slices of ${roi}`),
        el("span", { class: "muted" }, `${x} × ${y} × ${z} voxels${v ? ` of ${number(v)} µm` : ""}`), this.probed,
        el("label", { class: "inline" }, "colours ", this.map), el("label", { class: "inline", title: about.labels ? "" : "nothing is labelled yet" }, this.labels, " labels (l)"),
        el("span", { class: "legend" }, `${number(about.low_per_um, 3)} 1/µm`, this.ramp, `${number(about.high_per_um, 3)} 1/µm`)),
      el("div", { class: "slices" }, PLANES.map((plane) => this.slices[plane].element)));
    put(main, this.element);
    for (const plane of PLANES) this.slices[plane].sized(about.shape, v);
    this.redraw = coalesced(() => this.draw());
    this.choose("xy");
    this.draw();
  }

  /** Voxel of a place in um about the volume's centre, as the particle table has it. */
  voxelOf(um, axis) {
    if (um === null || um === "" || !this.about.voxel_size_um) return null;
    const n = this.about.shape[axis];
    return Math.max(0, Math.min(n - 1, Math.round(Number(um) / this.about.voxel_size_um + (n - 1) / 2)));
  }

  draw() {
    const labels = this.labels.checked && this.about.labels, map = this.map.value;
    for (const plane of PLANES) void this.slices[plane].draw(this.at, map, labels);
    if (map !== this.ramped) this.drawRamp(map);
    const { index } = this.slices[this.active].axes;
    void this.store.ahead(labels ? ["planes", "labels"] : ["planes"], this.active, this.at[index], this.about.shape[index] - 1, this.direction, this.playing ? 40 : 12);
  }

  drawRamp(map) {
    this.ramped = map;
    const table = (this.tables[map] ??= lookup(map));
    const image = new ImageData(256, 1);
    new Uint32Array(image.data.buffer).set(table);
    this.ramp.getContext("2d")?.putImageData(image, 0, 0);
  }

  /** Move the cross-hair: axis, voxel, axis, voxel. */
  go(...moves) {
    for (let i = 0; i < moves.length; i += 2) this.at[moves[i]] = Math.max(0, Math.min(this.about.shape[moves[i]] - 1, moves[i + 1]));
    this.redraw();
  }

  step(by) {
    const { index } = this.slices[this.active].axes;
    this.direction = Math.sign(by) || 1;
    this.go(index, this.at[index] + by);
  }

  choose(plane) {
    this.active = plane;
    for (const p of PLANES) this.slices[p].element.classList.toggle("active", p === plane);
  }

  probe(grey, label = null) {
    const { low_per_um: low, high_per_um: high } = this.about;
    text(this.probed, grey === null || grey === undefined ? "" : `${number(low + (grey / 255) * (high - low), 3)} 1/µm${label ? `, particle ${label}` : ""}`);
  }

  togglePlay() {
    this.playing = !this.playing;
    for (const plane of PLANES) {
      const { play } = this.slices[plane], on = this.playing && plane === this.active;
      text(play, on ? "■ Stop" : "▶ Play");
      play.setAttribute("aria-pressed", String(on));
    }
    if (!this.playing) return;
    let due = performance.now();
    const next = (now) => {
      if (!this.playing) return;
      requestAnimationFrame(next);
      if (now < due) return;
      const { index } = this.slices[this.active].axes, n = this.about.shape[index];
      const to = (this.at[index] + 1) % n;
      // It waits for a slice that is not here yet, instead of skipping it.
      if (!this.store.now("planes", this.active, to)) { void this.store.ahead(["planes"], this.active, this.at[index], n - 1, 1, 40); if (to === 0) void this.store.plane("planes", this.active, 0).catch(() => {}); return; }
      due = Math.max(due + PLAY_MS, now - PLAY_MS);
      this.at[index] = to;
      this.played = (this.played ?? 0) + 1;
      this.element.dataset.played = String(this.played);
      this.draw();
    };
    requestAnimationFrame(next);
  }

  key(event) {
    const { index } = this.slices[this.active].axes, last = this.about.shape[index] - 1;
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: 10, PageUp: -10, Home: -last, End: last };
    if (event.key in steps) this.step(steps[event.key]);
    else if (event.key === " " && !(event.target instanceof HTMLButtonElement)) this.togglePlay();
    else if (["1", "2", "3"].includes(event.key)) this.choose(PLANES[Number(event.key) - 1]);
    else if (event.key === "l" && this.about.labels) { this.labels.checked = !this.labels.checked; this.redraw(); }
    else return false;
    return true;
  }

  close() {
    this.playing = false;
    this.store.close();
  }
}
