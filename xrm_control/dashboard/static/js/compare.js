// Two runs side by side: distributions over each other, figures with their difference, quality.
import { get, runPath } from "./api.js";
import { el, headed, put } from "./dom.js";
import { local, number, utc } from "./format.js";
import { axis, colourOf } from "./particles/histogram.js";
import { columnIndex, histogram, mean, particlesOf, quantile, shareOf, weighed, wholeRows } from "./particles/table.js";
import uPlot from "../vendor/uplot/uPlot.min.js";

const SIZE = "equivalent_diameter_um";
const MEANS = [SIZE, "volume_um3", "sphericity", "surface_to_volume_per_um", "dead_volume_percent", "mean_attenuation_per_um"];
const FAR = 3; // standard errors of the difference

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, names, { title }) {
  title("Comparison");
  const sides = await Promise.all(names.map(load));
  return new ComparePage(main, sides);
}

async function load(name) {
  const [run, { regions }, table] = await Promise.all([
    get(runPath(name)), get(runPath(name, "regions")), particlesOf(name, [...MEANS, "void_count", "touches_boundary", "weight", "population_weight"]),
  ]);
  const rows = wholeRows(table);
  const of = (column) => { const at = columnIndex(table, column); return at < 0 ? [] : weighed(table, rows, at); };
  const voids = of("void_count").map(({ value, weight }) => ({ value: value > 0 ? 1 : 0, weight }));
  return { name, run, regions, table, rows, of, voided: shareOf(voids), sizes: of(SIZE) };
}

class ComparePage {
  constructor(main, sides) {
    this.sides = sides;
    this.plots = el("div", { class: "plots" });
    this.draw = () => this.plot();
    /** @type {{far: number, words: string}[]} how far means are apart, in standard errors */ this.gaps = [];
    /** @type {string[]} by what each is told apart */ this.called = calledOf(sides.map((side) => side.run));
    const figures = this.figures(), differ = verdictsOf(sides);
    const ranked = this.gaps.sort((a, b) => b.far - a.far), apart = ranked.filter((gap) => gap.far > FAR).map((gap) => gap.words), [most] = ranked;
    const short = apart.length ? `Clearly apart. ${apart.join("; ")}.` : `Nothing is clearly apart, by more than ${FAR} standard errors.${most ? ` Most so: ${most.words}, ${number(most.far, 2)} standard errors.` : ""}`;
    const head = (side, i) => el("th", { scope: "col" }, el("a", { class: i ? "key-b" : "key-a", href: `#/run/${encodeURIComponent(side.name)}`, title: `${side.name}, ${utc(side.run.started_utc)}` }, side.run.recipe_name), el("div", { class: "muted small" }, local(side.run.started_utc, { day: true, seconds: false })));
    put(main, el("div", { class: "compare" }, el("h1", {}, "Comparison"), differ ? el("p", { class: "warned" }, differ) : "", el("p", {}, short), this.plots,
      el("section", { class: "panel" }, el("div", { class: "scroll-x" }, el("table", { class: "list numbers cards" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Whole particles"), sides.map(head), el("th", { scope: "col" }, "Difference"))),
        el("tbody", {}, figures))),
      el("p", { class: "muted small pad" }, `Weighted as in the report; ± standard error between particles. Bold: more than ${FAR} standard errors apart. Confidence intervals stand in each report.`))));
    addEventListener("xrm-theme", this.draw);
    this.sized = new ResizeObserver(() => this.plot());
    this.sized.observe(this.plots);
  }

  figures() {
    const [a, b] = this.sides;
    const row = (name, values, difference = null, title = "") => el("tr", { title }, el("th", { scope: "row" }, name), headed([...this.called, "Difference"], values.map((v) => el("td", {}, v)), difference ?? el("td", {}, "")));
    const gap = (x, y, unit, sigma = null) => {
      if (x === null || y === null) return el("td", {}, "–");
      const far = sigma !== null && sigma > 0 && Math.abs(y - x) > FAR * sigma;
      return el("td", { class: far ? "far" : "" }, `${y - x > 0 ? "+" : ""}${number(y - x, 3)} ${unit}`, x ? el("span", { class: "muted" }, ` (${number((100 * (y - x)) / x, 2)} %)`) : "");
    };
    const count = (name, f) => row(name, this.sides.map((s) => number(f(s))), gap(f(a), f(b), ""));
    const meanRow = (name, title, unit, [x, y]) => {
      const sigma = x.error !== null && y.error !== null ? Math.hypot(x.error, y.error) : 0;
      if (sigma > 0) {
        const [more, less] = y.mean > x.mean ? [1, 0] : [0, 1], told = [x, y].map((m) => number(m.mean, 3));
        this.gaps.push({ far: Math.abs(y.mean - x.mean) / sigma, words: `${name}: ${this.called[more]} has more (${told[more]} against ${told[less]}${unit ? ` ${unit}` : ""})` });
      }
      return meanCells(name, title, unit, [x, y]);
    };
    const meanCells = (name, title, unit, [x, y]) => row(name, [x, y].map((m) => (m.mean === null ? "–" : `${number(m.mean)}${m.error === null ? "" : ` ± ${number(m.error, 2)}`} ${unit}`)), gap(x.mean, y.mean, unit, x.error !== null && y.error !== null ? Math.hypot(x.error, y.error) : null), title);
    const columns = MEANS.map((name) => a.table.columns[columnIndex(a.table, name)]).filter((c) => c && columnIndex(b.table, c.name) >= 0);
    const trust = (side) => ["pass", "doubt", "redo"].map((t) => [side.regions.filter((r) => r.trust === t).length, t]).filter(([n]) => n).map(([n, t]) => `${n} ${t}`).join(", ") || "–";
    return [
      row("Verdict", this.sides.map((s) => s.run.verdict ?? s.run.state ?? "–")), row("Trust of regions", this.sides.map(trust)),
      count("Whole particles", (s) => s.rows.length),
      ...columns.map((c) => meanRow(`Mean ${c.heading.replace(/^mean /, "")}`, c.meaning, c.unit, this.sides.map((s) => mean(s.of(c.name))))),
      ...[0.1, 0.5, 0.9].map((q) => { const [x, y] = this.sides.map((s) => quantile(s.sizes, q)); return row(`D${100 * q}, by number`, [x, y].map((v) => `${number(v)} µm`), gap(x, y, "µm")); }),
      meanRow("Particles with voids", "share of whole particles with at least one internal void", "%", this.sides.map((s) => s.voided)),
      count("Regions measured", (s) => s.regions.filter((r) => r.particles !== null).length),
      count("Frames missing", (s) => s.run.missing), count("Frames retaken", (s) => s.run.retaken),
    ];
  }

  plot() {
    const width = this.plots.clientWidth;
    if (!width || (width === this.plotted && !this.themed())) return;
    this.plotted = width;
    for (const plot of this.drawn ?? []) plot.destroy();
    this.drawn = [];
    put(this.plots);
    const filled = this.sides.filter((s) => s.sizes.length);
    if (!filled.length) return void put(this.plots, el("p", { class: "muted" }, "Neither run has measured particles yet."));
    const low = Math.min(...filled.map((s) => s.sizes[0].value)), high = Math.max(...filled.map((s) => s.sizes[s.sizes.length - 1].value));
    const bins = Math.max(8, Math.min(30, Math.ceil(Math.sqrt(Math.max(...filled.map((s) => s.sizes.length))))));
    const binned = this.sides.map((s) => {
      const [edges, sums] = histogram(s.sizes.length ? s.sizes : [{ value: low, weight: 0 }], bins, low, high);
      const total = sums.reduce((x, y) => x + y, 0) || 1;
      return { edges, shares: sums.map((v) => (100 * v) / total) };
    });
    const { edges } = binned[0];
    const middles = edges.slice(0, -1).map((e, i) => (e + edges[i + 1]) / 2);
    this.add("Distribution of equivalent diameters", "share of particles (%)", [middles, ...binned.map((o) => o.shares)], uPlot.paths.stepped({ align: 0 }), width);
    const steps = Array.from({ length: 200 }, (_, i) => low + (i / 199) * (high - low));
    this.add("Cumulative", "smaller than (%)", [steps, ...this.sides.map((s) => cumulative(s.sizes, steps))], uPlot.paths.linear(), width);
  }

  /** Whether the colours are other ones than before. */
  themed() {
    const now = colourOf("ink-probe"), changed = now !== this.ink;
    this.ink = now;
    return changed;
  }

  add(heading, label, data, paths, width) {
    const narrow = innerWidth <= 900;
    const place = el("div", { class: "plot", role: "img", "aria-label": `${heading} of both runs` });
    this.plots.append(el("section", { class: "panel" }, el("h2", {}, heading), place));
    const series = ["accent-probe", "other-probe"].map((probe, i) => ({ label: i ? "second" : "first", stroke: colourOf(probe), width: 2, dash: i ? [6, 3] : undefined, paths, points: { show: false } }));
    this.drawn.push(new uPlot({ width: (narrow ? width : width / 2) - 36, height: 260, legend: { show: false }, scales: { x: { time: false }, y: { range: (_, lo, hi) => [0, Math.max(1, hi * 1.05)] } }, axes: [axis("equivalent diameter (µm)"), axis(label)], series: [{}, ...series] }, data, place));
  }

  close() {
    removeEventListener("xrm-theme", this.draw);
    this.sized.disconnect();
    for (const plot of this.drawn ?? []) plot.destroy();
  }
}

/** Names of two runs; with their start where the recipe is one. */
function calledOf(runs) {
  const same = runs[0].recipe_name === runs[1].recipe_name;
  return runs.map((run) => (same ? `${run.recipe_name} of ${local(run.started_utc, { day: true })}` : run.recipe_name));
}

/** How the verdicts differ, in words; "" where they do not. */
function verdictsOf(sides) {
  const told = sides.map((side) => side.run.verdict ?? side.run.state ?? "not begun");
  return told[0] === told[1] ? "" : `The verdicts differ: ${calledOf(sides.map((side) => side.run)).map((name, i) => `${name} ${told[i]}`).join(", ")}.`;
}

/** Share of weight at or below each step, in percent. */
function cumulative(sample, steps) {
  const total = sample.reduce((sum, one) => sum + one.weight, 0);
  let at = 0, sum = 0;
  return steps.map((step) => {
    while (at < sample.length && sample[at].value <= step) sum += sample[at++].weight;
    return total > 0 ? (100 * sum) / total : null;
  });
}
