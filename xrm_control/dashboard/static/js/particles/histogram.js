// How a column is distributed among the rows that are shown.
import { el, put, text } from "../dom.js";
import { number } from "../format.js";
import uPlot from "../../vendor/uplot/uPlot.min.js";
import { allColumns, columnIndex, histogram, mean, quantile, weighed } from "./table.js";

/** The colour of a class of the style sheet, as canvases need it. */
export function colourOf(className) {
  const probe = el("span", { class: className, hidden: true });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Axes that fit the theme. */
export function axis(label) {
  return { label, stroke: colourOf("ink-probe"), grid: { stroke: colourOf("line-probe"), width: 1 }, ticks: { stroke: colourOf("line-probe"), width: 1 }, font: "12px system-ui", labelFont: "12px system-ui", labelSize: 20, size: 42 };
}

export class HistogramPanel {
  /** @param {import("./table.js").Table} table @param {() => void} lacks called where a column is chosen that is not here */
  constructor(table, lacks) {
    this.table = table;
    this.lacks = lacks;
    const numeric = allColumns(table).filter((c) => c.numeric && !c.name.endsWith("_u") && c.name !== "particle_id");
    this.select = el("select", { on: { change: () => this.show(this.rows) } }, numeric.map((c) => el("option", { value: c.name, selected: c.name === "equivalent_diameter_um", title: c.meaning }, `${c.heading}${c.unit ? ` (${c.unit})` : ""}`)));
    this.place = el("div", { class: "plot", role: "img" });
    this.words = el("p", { class: "muted small" });
    this.element = el("section", { class: "panel" }, el("div", { class: "panel-head" }, el("h2", {}, "Distribution"), el("label", { class: "inline" }, "of ", this.select)), this.place, this.words);
    this.rows = [];
    this.redraw = () => this.show(this.rows);
    addEventListener("xrm-theme", this.redraw);
    this.sized = new ResizeObserver(() => this.plot?.setSize({ width: this.place.clientWidth, height: 240 }));
    this.sized.observe(this.place);
  }

  show(rows) {
    this.rows = rows;
    const at = columnIndex(this.table, this.select.value), column = this.table.columns[at];
    if (!column) { text(this.words, "It is being fetched …"); return this.lacks(); }
    const found = weighed(this.table, rows, at);
    this.plot?.destroy();
    this.plot = null;
    put(this.place);
    if (!found.length) return void text(this.words, "No number to show.");
    const unit = column.unit ? ` ${column.unit}` : "";
    const { mean: middle, error } = mean(found);
    const said = `${number(found.length)} particles; mean ${number(middle)}${error === null ? "" : ` ± ${number(error, 2)}`}${unit} (standard error), D10 ${number(quantile(found, 0.1))}, D50 ${number(quantile(found, 0.5))}, D90 ${number(quantile(found, 0.9))}${unit}. ${columnIndex(this.table, "population_weight") < 0 ? "Weighted by the field's border alone." : "Weighted as in the report."}`;
    text(this.words, said);
    this.place.setAttribute("aria-label", `Histogram of ${column.heading}: ${said}`);
    const [edges, counts] = histogram(found, Math.max(6, Math.min(40, Math.ceil(Math.sqrt(found.length)))));
    const middles = counts.map((_, i) => (edges[i] + edges[i + 1]) / 2);
    this.plot = new uPlot({
      width: this.place.clientWidth || 360, height: 240, legend: { show: false }, cursor: { y: false },
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.08)] } },
      axes: [axis(`${column.heading}${unit}`), axis("weight of particles")],
      series: [{}, { label: "particles", stroke: colourOf("accent-probe"), fill: colourOf("fill-probe"), paths: uPlot.paths.bars({ size: [1, Infinity] }), points: { show: false } }],
    }, [middles, counts], this.place);
  }

  close() {
    removeEventListener("xrm-theme", this.redraw);
    this.sized.disconnect();
    this.plot?.destroy();
  }
}
