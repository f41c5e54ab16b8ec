// A new run: a recipe, a form of its settings, what is wrong with it and what it costs, then its start.
import { get, newRequest, post, RefusedError, told } from "./api.js";
import { control } from "./control.js";
import { attribute, el, put, text } from "./dom.js";
import { bytes, clockIn, dose, duration, number } from "./format.js";
import { keepDraft, keptDraft } from "./keptdraft.js";
import { RehearsalPanel } from "./rehearsal.js";
import { errorPanel, say, sayError } from "./said.js";

/** Sections that are open from the start: what changes from run to run. */
const OPEN = ["", "sample", "mosaic", "roi", "scan"];

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, _parts, { title, query }) {
  title("New run");
  const recipes = await get("/api/recipes");
  const page = new LaunchPage(main, recipes);
  const wanted = recipes.find((r) => r.file === (query.get("recipe") ?? keptDraft()?.file));
  if (wanted) await page.choose(wanted);
  return page;
}

class LaunchPage {
  constructor(main, recipes) {
    /** @type {Map<string, any>} */ this.changes = new Map();
    /** @type {Record<string, string>} */ this.requests = {};
    this.cards = recipes.map((r) => el("button", { type: "button", class: "recipe", "aria-pressed": "false", data: { file: r.file }, on: { click: () => void this.choose(r) } }, el("strong", {}, r.name), el("span", { class: "muted small about", title: r.about }, r.about)));
    this.form = el("div", { class: "settings" });
    this.find = el("input", { type: "search", placeholder: "find a setting", "aria-label": "Find a setting", on: { input: () => this.search() } });
    this.undo = el("button", { type: "button", hidden: true, on: { click: () => this.discard() } }, "");
    this.settings = el("section", { class: "panel", hidden: true, "aria-labelledby": "settings-head" }, el("div", { class: "panel-head wrap" }, el("h2", { id: "settings-head" }, "Settings"), this.undo, this.find), this.form);
    this.verdict = el("div", { "aria-live": "polite" }, el("p", { class: "muted" }, recipes.length ? "Choose a recipe." : "There is no recipe here. Start the server with --recipes FOLDER."));
    this.start = el("button", { type: "button", class: "primary", "aria-disabled": "true", on: { click: () => void this.begin() } }, "Start run");
    this.later = el("button", { type: "button", "aria-disabled": "true", on: { click: () => void this.enqueue(false) } }, "Put into the queue");
    this.next = el("button", { type: "button", "aria-disabled": "true", on: { click: () => void this.enqueue(true) } }, "First in the queue");
    this.why = el("p", { class: "warned small", role: "status" });
    this.fit = { possible: false, reason: "choose a recipe" };
    this.offers = () => this.offer();
    control.addEventListener("change", this.offers);
    this.rehearsal = new RehearsalPanel(() => (this.recipe ? this.draft : null));
    this.plan = el("section", { class: "panel plan-panel", "aria-labelledby": "plan-head" }, el("h2", { id: "plan-head" }, "Check and plan"), this.verdict, this.start, this.why, el("div", { class: "buttons" }, this.later, this.next), this.rehearsal.element);
    put(main, el("div", { class: "launch" }, el("div", { class: "run" },
      el("section", { class: "panel" }, el("h1", {}, "New run"), el("div", { class: "recipes" }, this.cards)), this.settings), this.plan));
  }

  async choose(recipe) {
    this.recipe = recipe;
    this.changes.clear();
    this.undo.hidden = true;
    for (const card of this.cards) attribute(card, "aria-pressed", String(card.dataset.file === recipe.file));
    this.settings.hidden = false;
    put(this.form, el("p", { class: "muted" }, "Loading …"));
    try {
      const settings = await get(`/api/recipes/${encodeURIComponent(recipe.file)}/settings`);
      if (this.recipe !== recipe) return;
      this.build(settings);
      this.restore(settings);
      await this.check();
    } catch (error) { put(this.form, errorPanel(error, () => this.choose(recipe))); }
  }

  build(settings) {
    /** @type {Map<string, any>} */ this.fields = new Map();
    const groups = new Map(), narrow = innerWidth < 900;
    for (const setting of settings) {
      const group = setting.path.includes(".") ? setting.path.split(".")[0] : "";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(this.field(setting));
    }
    put(this.form, [...groups].map(([group, rows]) => el("details", { open: OPEN.includes(group) && !narrow, data: { group } }, el("summary", {}, group || "general"), rows)));
  }

  field(setting) {
    const id = `set-${setting.path.replaceAll(".", "-")}`;
    const shown = setting.value === null ? "" : String(setting.value);
    const on = { input: () => this.changed(setting, input) };
    const input = setting.kind === "switch" ? el("input", { id, type: "checkbox", checked: setting.value === true, on })
      : setting.kind === "choice" ? el("select", { id, on }, setting.choices.map((c) => el("option", { value: c, selected: c === shown }, c)))
        : el("input", { id, type: setting.kind === "number" || setting.kind === "integer" ? "number" : "text", step: setting.kind === "integer" ? 1 : "any", value: shown, placeholder: setting.value === null ? "none" : null, on });
    const fault = el("p", { class: "refused small", id: `${id}-fault`, role: "alert" });
    attribute(input, "aria-describedby", fault.id);
    const short = setting.path.split(".").slice(1).join(".") || setting.path;
    const row = el("div", { class: "setting", data: { words: `${setting.path} ${setting.meaning}`.toLowerCase() } }, el("label", { for: id, title: setting.path }, named(short)), input, el("span", { class: "muted small" }, setting.meaning), fault);
    this.fields.set(setting.path, { row, input, fault });
    return row;
  }

  /** What was typed before the page was left. */
  restore(settings) {
    const kept = keptDraft();
    if (kept?.file !== this.recipe.file) return;
    for (const setting of settings) {
      const { input } = this.fields.get(setting.path), value = kept.changes.get(setting.path);
      if (value === undefined) continue;
      if (setting.kind === "switch") input.checked = value === true;
      else input.value = value === null ? "" : String(value);
      this.changed(setting, input);
    }
  }

  /** Back to the recipe as it is on file. */
  discard() {
    keepDraft(this.recipe.file, new Map());
    void this.choose(this.recipe);
  }

  changed(setting, input) {
    const value = valueOf(setting, input);
    if (value === setting.value) this.changes.delete(setting.path);
    else this.changes.set(setting.path, value);
    attribute(this.fields.get(setting.path).row, "data-changed", this.changes.has(setting.path));
    keepDraft(this.recipe.file, this.changes);
    this.undo.hidden = !this.changes.size;
    text(this.undo, `Undo ${this.changes.size} ${this.changes.size === 1 ? "change" : "changes"}`);
    this.ready(false, "it is being checked");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.check(), 350);
  }

  get draft() { return { file: this.recipe.file, settings: Object.fromEntries(this.changes) }; }

  async check() {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    this.ready(false, "it is being checked");
    this.rehearsal.may("it is being checked");
    try {
      const view = await post("/api/drafts/check", this.draft, { signal: asking.signal, timeoutMs: 60000 });
      if (!asking.signal.aborted) this.show(view);
    } catch (error) {
      if (!asking.signal.aborted) put(this.verdict, el("p", { class: "refused" }, error instanceof Error ? error.message : String(error)));
    }
  }

  show({ faults, warnings, plan, rehearse }) {
    this.rehearsal.may(rehearse ? rehearse.reason : "");
    for (const { input, fault } of this.fields.values()) { text(fault, ""); attribute(input, "aria-invalid", null); }
    const elsewhere = faults.filter((fault) => {
      const path = [...this.fields.keys()].filter((p) => (fault.where ?? "").includes(p)).sort((a, b) => b.length - a.length)[0];
      if (!path) return true;
      const field = this.fields.get(path);
      text(field.fault, told({ ...fault, where: null }));
      attribute(field.input, "aria-invalid", "true");
      field.row.closest("details").open = true;
      return false;
    });
    const found = faults.length ? el("p", { class: "refused" }, `${faults.length} ${faults.length === 1 ? "fault" : "faults"}: it cannot be started`) : "";
    const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    put(this.verdict, found, elsewhere.length ? el("ul", {}, elsewhere.map((f) => el("li", { class: "refused" }, told(f)))) : "",
      warnings.length ? el("ul", {}, warnings.map((w) => el("li", { class: "warned small" }, `▲ ${w}`))) : "",
      plan ? el("dl", { class: "facts" }, fact("Instrument time", duration(plan.total_s)), fact("Done, if begun now", clockIn(plan.total_s)), fact("Regions", number(plan.rois)),
        fact("Projections a region", number(plan.projections)), fact("Pixel size", `${number(plan.pixel_size_um)} µm`), fact("Field of view", `${number(plan.field_of_view_um)} µm`),
        fact("Dose a scan", dose(plan.dose_per_scan_gy)), fact("Disk", bytes(plan.disk_bytes)), fact("Memory", bytes(plan.memory_bytes)),
        fact("Particles in the mosaic", `about ${number(plan.particles_in_mosaic)}`), fact("Particles a volume", `about ${number(plan.particles_per_volume)}`)) : "");
    this.ready(faults.length === 0, faults.length ? "there are faults, see above" : "");
  }

  /** Whether it can be begun; whoever else is in control is a reason too. */
  ready(possible, reason) {
    this.fit = { possible, reason };
    this.offer();
  }

  offer() {
    const { possible, reason } = this.fit.possible && control.why ? { possible: false, reason: control.why } : this.fit;
    text(this.why, possible || !this.recipe ? "" : `Not now: ${reason}`);
    for (const button of [this.start, this.later, this.next]) {
      attribute(button, "aria-disabled", possible ? null : "true");
      attribute(button, "title", possible ? null : reason);
    }
  }

  async enqueue(first) {
    if (this.start.hasAttribute("aria-disabled")) return;
    this.ready(false, "it is being put into the queue");
    // The same request until the server has answered it: an answer that is lost adds nothing twice.
    const request = (this.requests[String(first)] ??= newRequest());
    try {
      await control.ensure();
      const { text: said } = await post("/api/queue/items", { ...this.draft, request, first }, { timeoutMs: 60000 });
      delete this.requests[String(first)];
      keepDraft(this.recipe.file, new Map());
      say(said, "good");
      location.hash = "#/queue";
    } catch (error) {
      if (!(error instanceof RefusedError) || error.status !== 0) delete this.requests[String(first)];
      sayError(error);
      this.ready(true, "");
    }
  }

  async begin() {
    if (this.start.hasAttribute("aria-disabled")) return;
    this.ready(false, "it is being started");
    const draft = { ...this.draft, request: (this.request ??= newRequest()) };
    try {
      await control.ensure();
      const { text: name } = await post("/api/runs", draft, { timeoutMs: 60000 });
      this.request = null;
      keepDraft(this.recipe.file, new Map());
      say(`Started ${name}`, "good");
      location.hash = `#/run/${encodeURIComponent(name)}`;
    } catch (error) {
      if (!(error instanceof RefusedError) || error.status !== 0) this.request = null;
      sayError(error);
      this.ready(true, "");
    }
  }

  search() {
    const words = this.find.value.trim().toLowerCase();
    for (const { row } of this.fields?.values() ?? []) row.hidden = words !== "" && !row.dataset.words.includes(words);
    for (const group of this.form.querySelectorAll("details")) {
      group.hidden = [...group.querySelectorAll(".setting")].every((row) => row.hidden);
      if (words) group.open = true;
    }
  }

  close() {
    clearTimeout(this.timer);
    this.asking?.abort();
    control.removeEventListener("change", this.offers);
    this.rehearsal.close();
  }
}

/** A path's end in words with its unit. */
function named(path) {
  if (path.endsWith("_g_cm3")) return `${named(path.slice(0, -6))} (g/cm³)`;
  const units = { um: "µm", s: "s", deg: "°", percent: "%", min: "min", px: "px", kev: "keV", gb: "GB" };
  const words = path.replaceAll(".", " · ").split("_");
  const unit = words.length > 1 ? units[words[words.length - 1]] : undefined;
  return unit ? `${words.slice(0, -1).join(" ")} (${unit})` : words.join(" ");
}

/** What a field says, of the kind that the setting has. */
function valueOf(setting, input) {
  if (setting.kind === "switch") return input.checked;
  if (input.value === "") return setting.value === "" ? "" : null;
  const numeric = setting.kind === "number" || setting.kind === "integer" || (setting.kind === "choice" && typeof setting.value === "number");
  return numeric ? Number(input.value) : input.value;
}
