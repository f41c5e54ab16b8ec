// Particles on the mosaic, coloured by a number that is chosen.
import { css, viridis } from "../colour.js";
import { el, put, text } from "../dom.js";
import { number } from "../format.js";
import { sayError } from "../said.js";
import { allColumns, columnIndex, particlesOf } from "../particles/table.js";

const PLACE = ["stage_x_um", "stage_y_um", "equivalent_diameter_um"];

export class ParticleLayer {
  /** @param {string} run @param {import("../mosaic/mosaic.js").Mosaic} mosaic */
  constructor(run, mosaic) {
    this.run = run;
    this.mosaic = mosaic;
    this.select = el("select", { "aria-label": "Particles coloured by", on: { change: () => void this.show() } }, el("option", { value: "" }, "particles: off"));
    this.legend = el("span", { class: "legend", hidden: true });
    this.element = el("span", { class: "layer", hidden: true }, this.select, this.legend);
    mosaic.tools.append(this.element);
    this.element.addEventListener("pointerdown", () => void this.fill());
    this.element.addEventListener("focusin", () => void this.fill());
  }

  /** @param {string} measured which regions have particles: others than before, and what is shown is looked at again */
  offer(measured) {
    this.element.hidden = !measured;
    const more = this.measured !== undefined && measured !== this.measured;
    this.measured = measured;
    if (more && this.select.value) void this.show();
  }

  /** The columns, once they are asked for. */
  async fill() {
    if (this.filled) return;
    this.filled = true;
    try {
      const numeric = allColumns(await particlesOf(this.run, PLACE)).filter((c) => c.numeric && !c.name.endsWith("_u"));
      this.select.append(...numeric.map((c) => el("option", { value: c.name, title: c.meaning }, `${c.heading}${c.unit ? ` (${c.unit})` : ""}`)));
    } catch (error) {
      this.filled = false;
      sayError(error);
    }
  }

  async show() {
    const name = this.select.value;
    if (!name) {
      this.mosaic.discs = null;
      this.legend.hidden = true;
      this.mosaic.draw();
      return;
    }
    let table;
    try {
      table = await particlesOf(this.run, [...PLACE, name]);
    } catch (error) {
      return void sayError(error);
    }
    if (name !== this.select.value) return;
    const [x, y, d, at] = ["stage_x_um", "stage_y_um", "equivalent_diameter_um", name].map((n) => columnIndex(table, n));
    const values = table.rows.map((row) => row[at]).filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
    const low = values[Math.floor(0.02 * (values.length - 1))] ?? 0, high = values[Math.ceil(0.98 * (values.length - 1))] ?? 1;
    const colour = (v) => (Number.isFinite(v) ? css(viridis(high > low ? (v - low) / (high - low) : 0.5)) : "#9aa5b0");
    this.mosaic.discs = x < 0 || y < 0 ? [] : table.rows.filter((row) => Number.isFinite(row[x]) && Number.isFinite(row[y])).map((row) => ({ x_um: row[x], y_um: row[y], diameter_um: row[d] ?? 2, colour: colour(row[at]) }));
    const unit = table.columns[at].unit;
    put(this.legend, el("span", {}, number(low, 3)), el("span", { class: "ramp", "aria-hidden": "true" }), el("span", {}, `${number(high, 3)} ${unit}`));
    this.legend.hidden = false;
    if (x < 0 || y < 0) text(this.legend, "no places on the stage in this table");
    this.mosaic.draw();
  }
}
