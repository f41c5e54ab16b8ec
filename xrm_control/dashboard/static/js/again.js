// A run's volumes measured again with another threshold: what is chosen, what came of it beside the run's own.
import { get, newRequest, post, runPath } from "./api.js";
import { control } from "./control.js";
import { attribute, el, headed, put } from "./dom.js";
import { number, percent, um } from "./format.js";
import { say, sayError } from "./said.js";

const KINDS = [["otsu", "automatic (Otsu)"], ["iso50", "half-way between matter and air"], ["fixed", "at a level of my own"]];
const LOOK_MS = 2000;
const HEADS = ["Threshold", "Whole particles", "With voids", "Mean diameter", "Verdict", ""];

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, [run], { title }) {
  title(el("a", { class: "run-name", href: `#/run/${encodeURIComponent(run)}` }, run), el("span", { class: "nowrap" }, "· measured again"));
  const page = new AgainPage(main, run);
  await page.look();
  return page;
}

class AgainPage {
  constructor(main, run) {
    this.run = run;
    this.kind = el("select", { on: { change: () => this.kinds() } }, KINDS.map(([value, words]) => el("option", { value }, words)));
    this.level = el("input", { type: "number", min: 0, step: "any", placeholder: "0.04" });
    this.levelField = el("label", { class: "field", hidden: true }, "Level, 1/µm", this.level);
    this.start = el("button", { type: "submit", class: "primary" }, "Measure again");
    this.why = el("p", { class: "muted small", role: "status" });
    this.list = el("div", { class: "scroll-x" });
    put(main, el("div", { class: "run" },
      el("section", { class: "panel" }, el("h1", {}, "Measure again with another threshold"),
        el("p", { class: "muted" }, "The volumes are measured anew, beside the run's own results, which stay as they are. Nothing is scanned or reconstructed."),
        el("form", { class: "row pad", on: { submit: (event) => { event.preventDefault(); void this.begin(); } } },
          el("label", { class: "field" }, "Threshold", this.kind), this.levelField, this.start), this.why),
      el("section", { class: "panel", "aria-labelledby": "again-head" }, el("h2", { id: "again-head" }, "What was measured"), this.list)));
  }

  kinds() {
    this.levelField.hidden = this.kind.value !== "fixed";
    this.level.required = this.kind.value === "fixed";
  }

  async look() {
    const found = await get(runPath(this.run, "reanalyses"));
    if (this.closed) return;
    const why = this.asked ? "Being measured …" : control.why || found.obstacle;
    attribute(this.start, "aria-disabled", why ? "true" : null);
    attribute(this.start, "title", why || null);
    put(this.why, why ? `Not now: ${why}` : "");
    const [own] = found.measurements;
    const level = ({ levels_per_um: [low, high] }) => (low === undefined ? "" : `level ${number(low, 3) === number(high, 3) ? number(low, 3) : `${number(low, 3)} to ${number(high, 3)}`} 1/µm`);
    if (own?.levels_per_um.length) this.level.placeholder = number(own.levels_per_um[0], 2);
    const told = (words, f, before) => { const now = f(words), was = before && f(before); return was && was !== now ? `${now} (before: ${was})` : now; };
    const row = (one) => el("tr", {}, headed(HEADS, el("th", { scope: "row" }, one.key ? Object.entries(one.settings).map(([k, v]) => `${k.replace("analysis.", "")} ${v.replaceAll('"', "")}`).join(", ") : "the run itself", el("div", { class: "muted small" }, level(one))),
      el("td", {}, told(one, (x) => number(x.whole_particles), one.key ? own : null)),
      el("td", {}, told(one, (x) => (x.voided_percent === null ? "–" : percent(x.voided_percent)), one.key ? own : null)),
      el("td", {}, told(one, (x) => (x.equivalent_diameter_um === null ? "–" : um(x.equivalent_diameter_um)), one.key ? own : null)),
      el("td", {}, one.verdict), el("td", {}, one.report ? el("a", { class: "button", href: `${runPath(this.run)}/${one.report}`, target: "_blank", rel: "noopener" }, "Report") : "")));
    const trial = (one) => el("tr", {}, el("th", { scope: "row" }, one.settings.join(", ")), el("td", { colspan: 5 }, `${one.state}${one.words ? `: ${one.words}` : ""}`));
    if (!found.measurements.length && !found.trials.length) put(this.list, el("p", { class: "muted" }, "Nothing yet: it comes with the run's results."));
    else put(this.list, el("table", { class: "list numbers cards" }, el("thead", {}, el("tr", {}, HEADS.map((h) => el("th", { scope: "col" }, h || el("span", { class: "sr-only" }, "Report"))))),
      el("tbody", {}, found.measurements.map(row), found.trials.map(trial))));
    clearTimeout(this.timer);
    if (found.trials.some((one) => one.state === "under way")) this.timer = setTimeout(() => void this.look().catch(sayError), LOOK_MS);
  }

  async begin() {
    if (this.start.hasAttribute("aria-disabled")) return;
    const settings = { "analysis.threshold.kind": this.kind.value, ...(this.kind.value === "fixed" ? { "analysis.threshold.level_per_um": Number(this.level.value) } : {}) };
    this.asked = true;
    attribute(this.start, "aria-disabled", "true");
    put(this.why, "Being measured …");
    try {
      await control.ensure();
      say((await post(runPath(this.run, "reanalyses"), { settings, request: newRequest() }, { timeoutMs: 60000 })).text, "good");
    } catch (error) { sayError(error); } finally {
      this.asked = false;
      await this.look().catch(sayError);
    }
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}
