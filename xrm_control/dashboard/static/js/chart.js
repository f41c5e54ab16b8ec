// Batch against batch: a number of the results over runs, in order of time, as a control chart; each point leads to its run.
import { get } from "./api.js";
import { el, headed, put, text } from "./dom.js";
import { local, number, utc } from "./format.js";
import { Picker } from "./picking.js";
import { errorPanel } from "./said.js";
import { TimePlot } from "./timeplot.js";

const VERDICTS = ["complete", "doubt", "incomplete", "aborted", "failed"];
const USUAL = "equivalent_diameter_um";

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, _parts, { title, query }) {
  title("Batches");
  const page = new ChartPage(main, await get("/api/chart/numbers"), query);
  await page.load();
  return page;
}

class ChartPage {
  constructor(main, numbers, query) {
    this.numbers = numbers;
    this.picker = new Picker();
    const wanted = query.get("number") ?? USUAL;
    const later = { input: () => { clearTimeout(this.typing); this.typing = setTimeout(() => void this.load(), 250); } };
    const now = { change: () => void this.load() };
    this.number = el("select", { "aria-label": "Number", on: now }, numbers.map((n) => el("option", { value: n.name, selected: n.name === wanted, title: n.meaning }, `${n.heading}${n.unit ? ` (${n.unit})` : ""}`)));
    this.search = el("input", { type: "search", placeholder: "name, sample, recipe, queue", "aria-label": "Of which runs", value: query.get("search") ?? "", on: later });
    this.verdict = el("select", { "aria-label": "Verdict", on: now }, el("option", { value: "" }, "any verdict"), VERDICTS.map((v) => el("option", { value: v, selected: v === query.get("verdict") }, v)));
    this.from = el("input", { type: "date", "aria-label": "From this day on", value: query.get("from") ?? "", on: now });
    this.to = el("input", { type: "date", "aria-label": "Up to this day", value: query.get("to") ?? "", on: now });
    this.count = el("span", { class: "muted", role: "status" });
    this.body = el("div", { class: "run" });
    put(main, el("div", { class: "run" }, el("section", { class: "panel" }, el("div", { class: "panel-head wrap night-head" }, el("h1", {}, "Batches"), this.number, this.search, el("label", { class: "inline" }, "from ", this.from), el("label", { class: "inline" }, "to ", this.to), this.verdict, this.count)), this.body));
    /** @type {TimePlot[]} */ this.plots = [];
  }

  async load() {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const query = new URLSearchParams({ number: this.number.value, search: this.search.value.trim() });
    if (this.verdict.value) query.set("verdict", this.verdict.value);
    if (this.from.value) query.set("since", new Date(`${this.from.value}T00:00`).toISOString());
    if (this.to.value) { const end = new Date(`${this.to.value}T00:00`); end.setDate(end.getDate() + 1); query.set("until", end.toISOString()); }
    const shown = new URLSearchParams([["number", this.number.value], ["search", this.search.value.trim()], ["verdict", this.verdict.value], ["from", this.from.value], ["to", this.to.value]].filter(([, v]) => v));
    history.replaceState(null, "", `#/batches?${shown}`);
    try {
      const view = await get(`/api/chart?${query}`, { signal: asking.signal, timeoutMs: 60000 });
      if (!asking.signal.aborted && !this.closed) this.draw(view);
    } catch (error) {
      if (!asking.signal.aborted && !this.closed) { this.forget(); put(this.body, errorPanel(error, () => this.load())); }
    }
  }

  draw(view) {
    this.forget();
    const { points } = view, unit = view.number.unit || "1";
    text(this.count, `${number(points.length)} run${points.length === 1 ? "" : "s"}${view.left_out ? `, ${number(view.left_out)} more state no such number` : ""}`);
    if (!points.length) {
      return void put(this.body, el("div", { class: "empty" }, el("h2", {}, "No run states this number"), el("p", {}, "Search for less, take another number, or wait for the first run that is measured."), el("p", {}, el("a", { class: "button", href: "#/" }, "All runs"))));
    }
    const of = (p) => `${p.recipe_name}${p.sample ? `, ${p.sample}` : ""}; ${p.verdict}; ${number(p.n)} particles${p.low !== null ? `, 95 % ${number(p.low)} to ${number(p.high)}` : ""}`;
    const spot = (p, at, value, bad) => ({ at, name: p.recipe_name, iso: p.started_utc, value, words: `${of(p)}${bad ? ", beyond the limits" : ""}`, mark: bad ? "bad" : p.counts ? "" : "open", go: `#/run/${encodeURIComponent(p.run)}` });
    const lines = view.centre === null ? [] : [{ value: view.centre, words: "mean" }, { value: view.lower, words: "lower limit", dash: [6, 4] }, { value: view.upper, words: "upper limit", dash: [6, 4] }];
    const values = new TimePlot({ heading: view.number.heading, unit, height: 300, byTime: false, note: "Run by run, in order of time; two of them are put side by side from the table beneath. Bars: the 95 % interval of the results. Squares: beyond the limits; open circles do not count for them. A click, or Enter, opens the run." });
    const ranges = new TimePlot({ heading: "Moving range", unit, height: 170, byTime: false, note: "Distance from the complete run before." });
    this.plots = [values, ranges];
    const outside = points.filter((p) => p.outside || p.jumped);
    put(this.body, this.said(view, outside), values.element, ranges.element, this.table(view, unit));
    values.show(points.map((p, at) => ({ ...spot(p, at, p.value, p.outside), low: p.low, high: p.high })), lines);
    const moved = points.map((p, at) => [p, at]).filter(([p]) => p.moving_range !== null);
    ranges.show(moved.map(([p, at]) => spot(p, at, p.moving_range, p.jumped)), view.range_mean === null ? [] : [{ value: view.range_mean, words: "mean" }, { value: view.range_upper, words: "upper limit", dash: [6, 4] }]);
  }

  said(view, outside) {
    const word = view.centre === null ? ["no limits yet", "still"] : outside.length ? [`${number(outside.length)} beyond the limits`, "wait"] : ["all within the limits", "good"];
    return el("section", { class: "panel" }, el("p", {}, el("span", { class: "badge", data: { tone: word[1] } }, word[0])), view.said.map((w) => el("p", { class: "warned small" }, `▲ ${w}`)), el("p", { class: "muted small" }, view.rule));
  }

  table(view, unit) {
    const rows = [...view.points].reverse(), heads = ["", "Run", "Sample", "Started", `Value (${unit})`, "95 %", "Particles", "Verdict"];
    return el("section", { class: "panel" }, el("div", { class: "panel-head wrap" }, el("h2", {}, "Run by run"), this.picker.button), el("div", { class: "scroll-x" }, el("table", { class: "list unbroken cards" }, el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h || el("span", { class: "sr-only" }, "Compare"))))),
      el("tbody", {}, rows.map((p) => el("tr", {}, headed(heads, el("td", {}, this.picker.box(p.run)), el("td", {}, el("a", { href: `#/run/${encodeURIComponent(p.run)}`, title: p.run }, p.recipe_name)), el("td", {}, p.sample), el("td", { title: utc(p.started_utc) }, local(p.started_utc, { day: true, seconds: false })), el("td", { class: p.outside ? "warned" : "" }, number(p.value), p.outside ? " ▲ beyond" : ""), el("td", {}, p.low === null ? "–" : `${number(p.low)} to ${number(p.high)}`), el("td", {}, number(p.n)), el("td", {}, p.verdict))))))));
  }

  forget() {
    for (const plot of this.plots) plot.close();
    this.plots = [];
  }

  close() {
    this.closed = true;
    clearTimeout(this.typing);
    this.asking?.abort();
    this.forget();
  }
}
