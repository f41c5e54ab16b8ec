// The card of one particle: its numbers, its surface in 3-D with voids inside, the way to its slice.
import { get, getBytes, runPath } from "../api.js";
import { command } from "../copied.js";
import { el, put, text } from "../dom.js";
import { number } from "../format.js";
import { columnIndex } from "./table.js";

/** Columns of which it tells. */
export const SHOWN = ["equivalent_diameter_um", "volume_um3", "sphericity", "void_count", "void_volume_um3", "dead_volume_percent", "radius_mean_um", "mean_attenuation_per_um", "touches_boundary"];
const MESHES = ["glb", "stl", "ply"];

export class ParticleCard {
  /** @param {string} run @param {import("./table.js").Table} table @param {() => void} close */
  constructor(run, table, close) {
    this.run = run;
    this.table = table;
    this.head = el("h2", {});
    this.link = el("a", { class: "button" }, "Its slice");
    this.place = el("div", { class: "mesh" });
    this.words = el("p", { class: "muted small", role: "status" });
    this.body = el("dl", { class: "facts" });
    this.kept = el("p", { class: "muted small pad" });
    this.raw = el("div", { class: "pad" });
    this.element = el("section", { class: "panel card" }, el("div", { class: "panel-head" }, this.head, this.link, el("button", { type: "button", class: "quiet", "aria-label": "Close", on: { click: close } }, "×")), this.place, this.words, this.body, this.kept, this.raw);
  }

  cell(row, name) {
    const at = columnIndex(this.table, name);
    return at < 0 ? null : row[at];
  }

  async show(row) {
    const id = this.cell(row, "particle_id"), roi = this.cell(row, "roi");
    text(this.head, `Particle ${id} of ${roi}`);
    const place = ["x", "y", "z"].map((axis) => `${axis}=${this.cell(row, `${axis}_um`) ?? ""}`).join("&");
    this.link.setAttribute("href", `#/run/${encodeURIComponent(this.run)}/volume/${encodeURIComponent(roi)}?${place}&label=${id}`);
    put(this.body, SHOWN.filter((name) => columnIndex(this.table, name) >= 0).map((name) => {
      const column = this.table.columns[columnIndex(this.table, name)], value = this.cell(row, name), u = this.cell(row, `${name}_u`);
      const told = name === "touches_boundary" ? (Number(value) ? "cut by the border" : "whole") : `${number(value)}${u ? ` ± ${number(u, 2)}` : ""} ${column.unit}`;
      return el("div", { title: column.meaning }, el("dt", {}, name === "touches_boundary" ? "whole or cut" : column.heading), el("dd", {}, told));
    }));
    put(this.kept, "Its mesh with its voids, in µm: ", MESHES.flatMap((kind) => [el("a", { href: runPath(this.run, "regions", roi, "particles", id, "mesh", kind), download: "" }, kind.toUpperCase()), " "]));
    void this.frames(roi);
    await this.surface(row, id, roi);
  }

  /** Where the raw frames of its region lie. */
  async frames(roi) {
    try {
      this.folder ??= (await get(runPath(this.run))).folder;
      put(this.raw, el("span", { class: "muted small" }, "Raw frames"), command(`${this.folder}/frames/${roi}`));
    } catch { /* the card is of use without */ }
  }

  async surface(row, id, roi) {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    text(this.words, "Its surface is being made …");
    const path = runPath(this.run, "regions", roi, "particles", id, "mesh");
    try {
      const [{ MeshView }, hull, voids] = await Promise.all([
        import("./mesh.js"),
        getBytes(path, { signal: asking.signal }),
        this.cell(row, "void_count") > 0 ? getBytes(`${path}?voids=1`, { signal: asking.signal }).catch(() => null) : null,
      ]);
      if (asking.signal.aborted) return;
      this.view ??= new MeshView(this.place);
      this.view.show(hull.body, voids?.body ?? null, `Surface of particle ${id}${voids ? " with its voids" : ""}; arrow keys turn it`);
      const blocks = hull.response.headers.get("X-Blocks") ?? voids?.response.headers.get("X-Blocks");
      const coarse = blocks ? ` Drawn along the voxels: ${decodeURIComponent(blocks)}.` : "";
      text(this.words, `Drag to turn, wheel to zoom${voids ? "; voids in orange, seen through the hull" : ""}.${coarse}`);
    } catch (error) {
      if (!asking.signal.aborted) text(this.words, `No surface: ${error instanceof Error ? error.message : error}`);
    }
  }

  close() {
    this.asking?.abort();
    this.view?.close();
    this.view = null;
  }
}
