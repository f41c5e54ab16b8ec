// One run over its time: flux, drift, axis, disk, and the values that the recipe watches, with their limits.
import { get, runPath } from "./api.js";
import { attribute, el, put, text } from "./dom.js";
import { bytes, duration, local, number, utc } from "./format.js";
import { connection, errorPanel } from "./said.js";
import { TimePlot } from "./timeplot.js";

const LOOK_MS = 5000;

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, [run], { title }) {
  title(el("a", { class: "run-name", href: `#/run/${encodeURIComponent(run)}` }, run), el("span", { class: "nowrap" }, "· trends"));
  const page = new TrendsPage(main, run);
  await page.load(true);
  return page;
}

class TrendsPage {
  constructor(main, run) {
    this.main = main;
    this.run = run;
    /** @type {Map<string, TimePlot>} */ this.plots = new Map();
    this.head = el("span", { class: "muted", role: "status" });
    this.grid = el("div", { class: "trends" });
    this.watched = el("section", { class: "panel" });
    put(main, el("div", { class: "run" }, el("section", { class: "panel" }, el("div", { class: "panel-head wrap night-head" }, el("h1", {}, "Trends"), this.head, el("a", { class: "button", href: `#/run/${encodeURIComponent(run)}` }, "To the run"))), this.watched, this.grid));
    this.timer = setInterval(() => { if (!document.hidden && !this.asking) void this.load(); }, LOOK_MS);
  }

  async load(first = false) {
    this.asking = true;
    try {
      const view = await get(runPath(this.run, "trends"), { timeoutMs: 30000 });
      if (this.closed) return;
      connection("");
      this.draw(view);
    } catch (error) {
      if (first) put(this.main, errorPanel(error, () => location.reload()));
      else if (!this.closed) connection(error instanceof Error ? error.message : String(error));
      if (first) this.close();
    } finally { this.asking = false; }
  }

  draw(view) {
    text(this.head, `${duration(view.t_s)} of instrument time; ${bytes(view.disk_free_bytes)} free on the disk`);
    for (const trend of view.trends) {
      let plot = this.plots.get(trend.name);
      if (plot && plot.about.unit !== trend.unit) { plot.rename(trend.unit); }
      if (!plot) {
        plot = new TimePlot({ heading: trend.heading, unit: trend.unit, note: trend.note });
        this.plots.set(trend.name, plot);
        this.grid.append(plot.element);
      }
      const out = (v) => (trend.low !== null && v < trend.low) || (trend.high !== null && v > trend.high);
      plot.show(trend.points.map((p) => ({ at: p.utc ? Date.parse(p.utc) / 1000 : p.t_s, iso: p.utc, value: p.value, words: `${p.of}${out(p.value) ? ", beyond its limit" : ""}`, mark: out(p.value) ? "bad" : "" })),
        [[trend.low, "lower limit"], [trend.high, "upper limit"]].filter(([v]) => v !== null).map(([value, words]) => ({ value, words, dash: [6, 4] })));
    }
    const told = JSON.stringify([view.watched, Math.round(view.t_s / 5)]);
    if (told !== this.before) put(this.watched, el("h2", {}, "Watched conditions"), this.conditions(view));
    this.before = told;
  }

  /** Each with its limits and a bar of the run's time, in which the spells out of order are marked. */
  conditions(view) {
    if (!view.watched.length) return el("p", { class: "muted" }, "The recipe watches no value (its part conditions).");
    const end = Math.max(1, view.t_s);
    return el("ul", { class: "watched" }, view.watched.map((one) => {
      const open = one.spells.some((s) => s.to_s === null);
      const lost = one.spells.reduce((sum, s) => sum + (s.to_s ?? end) - s.from_s, 0);
      const bar = el("span", { class: "timebar", role: "img", "aria-label": one.spells.length ? `out of order ${one.spells.length} times, ${duration(lost)}` : "in order all the time" });
      for (const spell of one.spells) {
        const mark = el("span", { class: "spell" });
        mark.style.left = `${(100 * Math.max(0, spell.from_s)) / end}%`;
        mark.style.width = `${Math.max(0.4, (100 * ((spell.to_s ?? end) - Math.max(0, spell.from_s))) / end)}%`;
        bar.append(mark);
      }
      return el("li", {}, el("div", { class: "panel-head wrap" }, el("strong", {}, one.value), el("span", { class: "muted" }, `in order: ${one.limit}; else ${one.action}`), el("span", { class: "badge small", data: { tone: open ? "bad" : one.spells.length ? "wait" : "good" } }, open ? "out of order" : one.spells.length ? `was out of order ${number(one.spells.length)} times` : "in order")), bar,
        one.spells.length ? el("ul", { class: "small" }, one.spells.map((s) => el("li", {}, el("span", { title: utc(s.from_utc) }, local(s.from_utc)), " to ", s.to_s === null ? "now" : el("span", { title: utc(s.to_utc) }, local(s.to_utc)), ` (${duration((s.to_s ?? end) - s.from_s)}): ${s.value}`))) : "");
    }), el("li", { class: "muted small" }, "The bar is the run's instrument time. A run records when a watched value is out of order, and not its course while it is in order."));
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    for (const plot of this.plots.values()) plot.close();
  }
}
