// The list of runs: found by name, sample, recipe, date, verdict, in an order of one's choice; one is opened, two are
// compared. What was looked for stands in the address, so that it is there again after a look at a run.
import { get } from "./api.js";
import { attribute, el, headed, put, rebuild, text } from "./dom.js";
import { local, number, utc } from "./format.js";
import { nightOf } from "./night.js";
import { errorPanel } from "./said.js";
import { Picker } from "./picking.js";
import { standing } from "./run/states.js";

const PAGE = 50, MOST = 500;
const HEADS = ["", "Recipe", "Sample", "Started", "State", "Frames", "Particles", "Verdict"];
/** What each column orders by, and whether the largest comes first at the first click. */
const ORDERS = { Recipe: ["recipe", false], Sample: ["sample", false], Started: ["begun", true], State: ["state", false], Frames: ["frames", true], Particles: ["particles", true], Verdict: ["verdict", false] };
const WORDS = { begun: ["begun first", "begun last"], recipe: ["recipe, A first", "recipe, Z first"], sample: ["sample, A first", "sample, Z first"], state: ["state, died first", "state, ended first"], frames: ["fewest frames", "most frames"], particles: ["fewest particles", "most particles"], verdict: ["verdict, best first", "verdict, worst first"] };
/** What folders of runs are called; of one that somebody has renamed the name tells which it is. */
const MADE = /^\d{8}T\d{6}Z_[\w-]+_[0-9a-f]{4}$/;
const NEWEST = "begun-true";
const VERDICTS = ["complete", "doubt", "incomplete", "aborted", "failed"];

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, _parts, { title, query }) {
  title("Runs");
  const page = new RunsPage(main, query);
  await page.load();
  return page;
}

class RunsPage {
  constructor(main, query) {
    this.runs = [];
    this.total = 0;
    this.limit = PAGE;
    this.picker = new Picker();
    this.search = el("input", { type: "search", class: "wide", value: query.get("search") ?? "", placeholder: "name, sample, recipe, queue", title: "Name, recipe, sample, start, or the queue and item that a run is of", "aria-label": "Search runs", on: { input: () => this.later() } });
    this.verdict = el("select", { "aria-label": "Verdict", on: { change: () => void this.load() } }, el("option", { value: "" }, "any verdict"), VERDICTS.map((v) => el("option", { value: v, selected: v === query.get("verdict") }, v)));
    this.order = el("select", { class: "narrow-only", "aria-label": "Order", on: { change: () => void this.load() } }, Object.entries(WORDS).flatMap(([name, words]) => [true, false].map((falling) => el("option", { value: `${name}-${falling}`, selected: `${name}-${falling}` === (query.get("order") ?? NEWEST) }, words[Number(falling)]))));
    const date = (words, name) => el("input", { type: "date", value: query.get(name) ?? "", "aria-label": words, title: words, on: { change: () => void this.load() } });
    this.from = date("Carried out from this day on", "from");
    this.to = date("Carried out up to this day", "to");
    this.count = el("span", { class: "muted", role: "status" });
    this.body = el("tbody", {});
    this.heads = HEADS.map((h) => el("th", { scope: "col" }, h ? el("button", { type: "button", class: "quiet", title: `Order by ${h.toLowerCase()}`, on: { click: () => this.by(h) } }, h, el("span", { "aria-hidden": "true" })) : el("span", { class: "sr-only" }, "Compare")));
    this.table = el("table", { class: "list cards sorted" }, el("thead", {}, el("tr", {}, this.heads)), this.body);
    this.more = el("button", { type: "button", hidden: true, on: { click: () => { this.limit = Math.min(MOST, this.limit + PAGE); void this.load(); } } }, "More runs");
    this.note = el("div", {});
    this.root = el("section", { class: "panel" }, el("div", { class: "panel-head wrap" }, el("h1", {}, "Runs"), this.count, this.search, el("label", { class: "inline" }, "from ", this.from), el("label", { class: "inline" }, "to ", this.to), this.verdict, this.order, this.picker.button, el("a", { class: "button", href: "#/launch" }, "New run …")),
      el("div", { class: "scroll-x" }, this.table), this.note, this.more);
    put(main, this.root);
    this.timer = setInterval(() => { if (!document.hidden) void this.load(); }, 4000);
  }

  wake() { void this.load(); }

  later() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => void this.load(), 200);
  }

  /** Order by a column; a second time the other way round. */
  by(head) {
    const [name, falling] = ORDERS[head];
    const first = `${name}-${falling}`;
    this.order.value = this.order.value === first ? `${name}-${!falling}` : first;
    void this.load();
  }

  /** In the address, without a visit of its own. */
  remember() {
    const told = [["search", this.search.value.trim()], ["verdict", this.verdict.value], ["from", this.from.value], ["to", this.to.value], ["order", this.order.value === NEWEST ? "" : this.order.value]].filter(([, value]) => value);
    const hash = `#/${told.length ? `?${new URLSearchParams(told)}` : ""}`;
    if ((location.hash || "#/") !== hash) history.replaceState(null, "", hash);
  }

  async load() {
    if (this.closed) return;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const [order, falling] = this.order.value.split("-");
    this.remember();
    for (const head of this.heads) {
      const here = ORDERS[head.textContent.replace(/ [↓↑]$/, "")]?.[0] === order;
      attribute(head, "aria-sort", here ? (falling === "true" ? "descending" : "ascending") : null);
      if (head.firstChild.lastElementChild) text(head.firstChild.lastElementChild, here ? (falling === "true" ? " ↓" : " ↑") : "");
    }
    const query = new URLSearchParams({ search: this.search.value.trim(), limit: String(this.limit), order, descending: falling });
    if (this.verdict.value) query.set("verdict", this.verdict.value);
    // Days are local ones; the day that is named last is within.
    if (this.from.value) query.set("since", new Date(`${this.from.value}T00:00`).toISOString());
    if (this.to.value) { const end = new Date(`${this.to.value}T00:00`); end.setDate(end.getDate() + 1); query.set("until", end.toISOString()); }
    try {
      const { runs, total } = await get(`/api/runs?${query}`, { signal: asking.signal });
      if (asking.signal.aborted) return;
      this.runs = runs;
      this.total = total;
      put(this.note);
      this.draw();
    } catch (error) {
      if (!asking.signal.aborted && !this.closed) put(this.note, errorPanel(error, () => this.load()));
    }
  }

  draw() {
    text(this.count, `${number(this.runs.length)} of ${number(this.total)}`);
    const drawn = JSON.stringify(this.runs);
    if (drawn !== this.before) this.before = rebuild(this.body, this.runs.map((run) => this.row(run))) ? drawn : "";
    this.more.hidden = this.runs.length >= this.total || this.limit >= MOST;
    this.table.hidden = this.runs.length === 0;
    if (!this.runs.length) {
      const searched = this.search.value || this.verdict.value || this.from.value || this.to.value;
      put(this.note, el("div", { class: "empty" }, el("h2", {}, searched ? "No run matches" : "No run yet"),
        el("p", {}, searched ? "Search for less, or take off the filter." : "Start one here, or with xrm run on this machine: it shows up by itself."), searched ? "" : el("p", {}, el("a", { class: "button", href: "#/launch" }, "New run …"))));
    }
  }

  row(run) {
    const { word, tone } = run.problem ? { word: "unreadable", tone: "bad" } : standing({ ...run, before_waiting: null });
    const to = `#/run/${encodeURIComponent(run.name)}`;
    const open = (event) => { if (!(event.target instanceof Element && event.target.closest("a, input, label"))) location.hash = to; };
    return el("tr", { class: "link-row", data: { key: run.name }, on: { click: open } }, headed(HEADS,
      el("td", {}, this.picker.box(run.name)), el("td", {}, el("a", { href: to, title: run.name }, run.recipe_name || run.name), run.simulated ? [" ", el("span", { class: "chip" }, "simulated")] : "", MADE.test(run.name) || run.name === run.recipe_name ? "" : el("div", { class: "muted small folder", title: run.name }, run.name), run.campaign ? el("div", { class: "muted small" }, `of ${run.campaign}`) : ""),
      el("td", {}, run.sample), el("td", { title: utc(run.started_utc) }, el("a", { class: "plain", href: `#/night/${nightOf(run.started_utc)}`, "aria-label": `${local(run.started_utc, { day: true, seconds: false })}: its night` }, local(run.started_utc, { day: true, seconds: false }))),
      el("td", {}, el("span", { class: "badge small", data: { tone } }, word), run.problem ? el("div", { class: "refused small" }, run.problem) : ""),
      el("td", { class: "num" }, el("span", { title: `${run.kept} of ${run.planned} frames` }, run.planned ? `${number(run.kept)} / ${number(run.planned)}` : "–")),
      el("td", { class: "num" }, number(run.particles)), el("td", {}, run.verdict ?? "–")));
  }

  key(event) {
    if (event.key === "/") { this.search.focus(); return true; }
    return false;
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    clearTimeout(this.typing);
    this.asking?.abort();
  }
}
