// The particle table: sorted, filtered, only the rows in sight on the page; a row opens its card.
import { coalesced, el, put, text } from "../dom.js";
import { number, percent } from "../format.js";
import { ParticleCard, SHOWN } from "./card.js";
import { Grid } from "./grid.js";
import { HistogramPanel } from "./histogram.js";
import { sayError } from "../said.js";
import { allColumns, columnIndex, compare, particlesOf } from "./table.js";

const FIRST = ["particle_id", "roi", "equivalent_diameter_um", "sphericity", "void_count", "dead_volume_percent", "volume_um3", "surface_area_um2", "touches_boundary"];
// What the table, its cards and the way to a slice need at first; a large table has a hundred columns, which come when they are asked for.
const AT_FIRST = [...new Set([...FIRST, ...SHOWN, ...SHOWN.map((name) => `${name}_u`), "x_um", "y_um", "z_um", "weight", "population_weight"])];

/** @returns {Promise<import("../main.js").Page>} */
export async function open(main, [run], { title, query }) {
  title(el("a", { class: "run-name", href: `#/run/${encodeURIComponent(run)}` }, run), el("span", { class: "nowrap" }, "· particles"));
  const table = await particlesOf(run, AT_FIRST);
  if (!table.rows.length) {
    put(main, el("section", { class: "empty" }, el("h2", {}, "No particle"), el("p", {}, "None is measured yet, or none was found: particles come with the first region that is measured."), el("p", {}, el("a", { class: "button", href: `#/run/${encodeURIComponent(run)}` }, "To the run"))));
    return { close() {} };
  }
  return new ParticlesPage(main, run, table, query);
}

class ParticlesPage {
  constructor(main, run, table, query) {
    this.run = run;
    this.table = table;
    this.all = false;
    this.sort = { name: "equivalent_diameter_um", falling: true };
    this.words = el("input", { type: "search", placeholder: "roi-01  d>5", "aria-label": "Filter: words, or column and limit as in d>5", title: "Words, or a column with a limit: d>5, void_count>0", value: query.get("roi") ?? "", on: { input: () => this.later() } });
    this.whole = el("input", { type: "checkbox", checked: true, on: { change: () => this.show() } });
    this.more = el("input", { type: "checkbox", on: { change: () => { this.all = this.more.checked; if (this.all) void this.fetchAll(); this.columns(); this.show(); } } });
    this.count = el("span", { class: "muted", role: "status" });
    this.grid = new Grid({ choose: (row) => this.choose(row), sort: (name) => this.sorted(name) });
    this.histogram = new HistogramPanel(table, () => void this.fetchAll());
    this.card = new ParticleCard(run, table, () => this.choose(null));
    this.cardPlace = el("div", {});
    this.later = coalesced(() => this.show());
    put(main, el("div", { class: "particles" },
      el("section", { class: "panel table-panel" }, el("div", { class: "panel-head wrap" }, el("h1", {}, "Particles"), this.count, this.words, el("label", { class: "inline" }, this.whole, " whole ones only"), el("label", { class: "inline" }, this.more, " all columns")), this.grid.element),
      el("div", { class: "side-plain" }, this.cardPlace, this.histogram.element)));
    this.columns();
    this.show();
  }

  columns() {
    const { table } = this;
    const at = this.all ? table.columns.map((_, i) => i) : FIRST.map((name) => columnIndex(table, name)).filter((i) => i >= 0);
    this.grid.columns(at.map((i) => ({ ...table.columns[i], at: i })), this.sort);
  }

  /** The columns that are not here yet; once. */
  async fetchAll() {
    if (!this.table.others.length || this.fetching) return;
    this.fetching = true;
    try {
      const table = await particlesOf(this.run);
      const key = (of, row) => `${row[columnIndex(of, "roi")]} ${row[columnIndex(of, "particle_id")]}`;
      const chosen = this.grid.chosen && key(this.table, this.grid.chosen);
      this.table = this.histogram.table = this.card.table = table;
      this.grid.chosen = (chosen && table.rows.find((row) => key(table, row) === chosen)) || null;
      this.columns();
      this.show();
    } catch (error) {
      sayError(error);
    } finally {
      this.fetching = false;
    }
  }

  sorted(name) {
    this.sort = { name, falling: this.sort.name === name ? !this.sort.falling : true };
    this.columns();
    this.show();
  }

  show() {
    const { table } = this, cut = columnIndex(table, "touches_boundary");
    const tests = this.tests();
    const at = columnIndex(table, this.sort.name);
    this.rows = table.rows.filter((row) => (!this.whole.checked || cut < 0 || !Number(row[cut])) && tests.every((test) => test(row)));
    if (at >= 0) this.rows.sort((a, b) => compare(a[at], b[at], this.sort.falling));
    const voids = columnIndex(table, "void_count"), hollow = voids < 0 ? 0 : this.rows.filter((row) => Number(row[voids]) > 0).length;
    const share = this.rows.length ? ` (${percent((100 * hollow) / this.rows.length)} by count)` : "";
    text(this.count, `${number(this.rows.length)} of ${number(table.total)} shown${voids < 0 ? "" : `, ${number(hollow)} with voids${share}`}`);
    this.grid.show(this.rows);
    this.histogram.show(this.rows);
  }

  /** Words of the filter as tests of a row. */
  tests() {
    const short = { d: "equivalent_diameter_um", voids: "void_count", voided: "dead_volume_percent" };
    return this.words.value.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
      const limit = word.match(/^([a-z_0-9]+)(>=|<=|>|<|=)(-?[\d.]+)$/);
      const name = limit && (short[limit[1]] ?? limit[1]);
      const at = name ? columnIndex(this.table, name) : -1;
      if (at < 0 && name && allColumns(this.table).some((column) => column.name === name)) void this.fetchAll();
      if (!limit || at < 0) return (row) => row.some((cell) => typeof cell === "string" && cell.toLowerCase().includes(word));
      const value = Number(limit[3]);
      const holds = { ">": (v) => v > value, "<": (v) => v < value, ">=": (v) => v >= value, "<=": (v) => v <= value, "=": (v) => v === value }[limit[2]];
      return (row) => row[at] !== null && holds(row[at]);
    });
  }

  choose(row) {
    this.grid.chosen = row;
    this.grid.draw();
    put(this.cardPlace, row ? this.card.element : "");
    if (row) {
      void this.card.show(row);
      if (innerWidth < 900) this.card.element.scrollIntoView({ block: "nearest" });
    }
  }

  key(event) {
    if (event.key === "/") this.words.focus();
    else if (event.key === "Escape") this.choose(null);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const at = this.rows.indexOf(this.grid.chosen);
      const row = this.rows[Math.max(0, Math.min(this.rows.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))];
      if (row) { this.grid.reveal(row); this.choose(row); }
    } else return false;
    return true;
  }

  close() {
    this.card.close();
    this.histogram.close();
  }
}
