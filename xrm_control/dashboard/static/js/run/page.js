// The page of one run: mosaic, state, progress, alarms, log and actions, all from one store.
import { control } from "../control.js";
import { show } from "../dialog.js";
import { attribute, coalesced, el, put, text } from "../dom.js";
import { duration } from "../format.js";
import { Mosaic } from "../mosaic/mosaic.js";
import { extent, freePlace } from "../mosaic/view.js";
import { forgetPictures } from "../pictures.js";
import { RunStore } from "../runstore.js";
import { connection } from "../said.js";
import { ActionBar } from "./actions.js";
import { AddCard } from "./addcard.js";
import { Alarms } from "./alarms.js";
import { LastFrame } from "./frame.js";
import { Log } from "./log.js";
import { Orders } from "./orders.js";
import { ParticleLayer } from "./particlelayer.js";
import { Progress } from "./progress.js";
import { RegionCard } from "./regioncard.js";
import { RegionList } from "./regions.js";
import { Reorder } from "./reorder.js";
import { standing, StateLine, waits } from "./states.js";

/** @returns {Promise<import("../main.js").Page>} */
export async function open(main, [name], { title }) {
  const page = new RunPage(main, name, title);
  try {
    await page.store.open();
  } catch (error) {
    page.close();
    throw error;
  }
  return page;
}

class RunPage {
  constructor(main, name, title) {
    this.store = new RunStore(name);
    this.orders = new Orders(this.store);
    this.title = title;
    this.chosen = "";
    this.mosaic = new Mosaic();
    this.states = new StateLine();
    this.progress = new Progress();
    this.frame = new LastFrame();
    this.log = new Log(name);
    this.alarms = new Alarms((action, alarm) => this.cure(action, alarm), (action) => this.orders.may(action));
    this.list = new RegionList({ choose: (region) => this.choose(region), hover: (region) => this.mosaic.hover(region, false) }, new Reorder(this.orders));
    this.card = new RegionCard(name, this.orders, () => this.choose(""));
    this.adding = new AddCard(this.orders);
    this.actions = new ActionBar(this.orders, { add: () => this.wish(this.middle()), skip: () => this.skip(), regions: () => this.store.regions });
    this.layer = new ParticleLayer(name, this.mosaic);
    this.badge = el("strong", { class: "badge" }, "loading …");
    this.left = el("span", { class: "left-time" });
    this.links = this.states.beside;
    this.cardPlace = el("div", { class: "card-place" });
    this.bar = el("div", { class: "run-bar" }, el("div", { class: "run-head" }, this.badge, this.left), this.actions.element);
    // Until the run is known nothing is said of what it lacks.
    this.element = el("div", { class: "run", "aria-busy": "true" }, (this.heading = el("h1", { class: "sr-only" }, "Run")), this.bar, this.states.element,
      el("div", { class: "run-grid" }, this.mosaic.element,
        el("div", { class: "side" }, this.cardPlace, this.progress.element, this.list.element, this.frame.element), this.log.element));
    this.states.row.append(this.alarms.element);
    put(main, this.element);
    this.listen();
  }

  listen() {
    const { store, mosaic } = this;
    this.redraw = coalesced(() => this.update());
    for (const part of ["run", "mosaic", "regions"]) store.addEventListener(part, this.redraw);
    store.addEventListener("lines", (event) => this.log.add(/** @type {CustomEvent} */ (event).detail));
    store.addEventListener("connection", (event) => connection(/** @type {CustomEvent} */ (event).detail));
    control.addEventListener("change", this.redraw);
    mosaic.addEventListener("choose", (event) => this.choose(/** @type {CustomEvent} */ (event).detail));
    mosaic.addEventListener("wish", (event) => this.wish(/** @type {CustomEvent} */ (event).detail));
    mosaic.addEventListener("background", () => { if (!this.isAdding) this.choose(""); });
    this.adding.addEventListener("done", () => this.leaveAdding());
    this.adding.addEventListener("box", () => this.showDraft());
  }

  update() {
    const { run, regions } = this.store;
    if (!run || this.closed) return;
    attribute(this.element, "aria-busy", null);
    const { word, tone } = standing(run);
    text(this.badge, word);
    attribute(this.badge, "data-tone", tone);
    text(this.left, run.remaining_s !== null && !run.ended ? `${duration(run.remaining_s)} left${waits(run) ? " once it goes on" : ""}` : run.ended && run.verdict === "complete" ? "verdict: complete" : "");
    this.measured = regions.filter((r) => r.particles !== null).map((r) => r.name).join();
    const headed = JSON.stringify([run.name, run.recipe_name, run.sample, run.simulated, run.report, run.results, run.state, run.alarms, this.measured]);
    if (headed !== this.headed) this.head(run);
    this.headed = headed;
    this.states.update(run);
    this.progress.update(run, regions);
    this.frame.update(run.last_frame, run.folder);
    this.alarms.update(run.alarms);
    this.actions.update();
    const may = this.orders.may("add");
    attribute(this.mosaic.drawButton, "aria-disabled", may.possible ? null : "true");
    attribute(this.mosaic.drawButton, "title", may.possible ? "Draw a box to scan (b); Shift and drag does the same" : may.reason);
    this.mosaic.set(this.store.mosaic, regions);
    this.list.update(regions, this.chosen);
    const region = regions.find((r) => r.name === this.chosen);
    if (region) this.card.update(region, run.folder);
    if (this.isAdding) this.adding.update();
    this.layer.offer(this.measured);
  }

  head(run) {
    const sample = run.sample && run.sample !== run.recipe_name ? ` · ${run.sample}` : "";
    this.title(el("span", { class: "run-name", title: run.name }, run.recipe_name || run.name, el("span", { class: "muted" }, sample)), run.simulated ? el("span", { class: "chip" }, "simulated") : "");
    text(this.heading, `Run ${run.recipe_name || run.name}`);
    const grave = run.alarms.filter((a) => a.level === "error" || a.level === "warning").length;
    document.title = `${grave ? `▲${grave} ` : ""}${standing(run).word} · ${run.recipe_name} · xrm`;
    const file = (name) => `/api/runs/${encodeURIComponent(run.name)}/files/${name}`;
    put(this.links, run.report ? el("a", { class: "button", href: file("report.html"), target: "_blank", rel: "noopener" }, "Report") : "",
      this.measured ? el("a", { class: "button", href: `#/run/${encodeURIComponent(run.name)}/particles` }, "Particle table") : "",
      run.results && this.measured ? el("a", { class: "button", href: `#/run/${encodeURIComponent(run.name)}/again` }, "Measure again") : "",
      el("a", { class: "button", href: `#/run/${encodeURIComponent(run.name)}/trends` }, "Trends"));
  }

  choose(name) {
    const region = this.store.regions.find((r) => r.name === name);
    this.chosen = region ? name : "";
    if (this.isAdding) this.leaveAdding();
    this.mosaic.choose(this.chosen);
    put(this.cardPlace, region ? this.card.element : "");
    if (region) {
      this.card.update(region, this.store.run?.folder);
      this.mosaic.reveal(region);
      if (innerWidth < 900) this.card.element.scrollIntoView({ block: "nearest" });
    }
    this.list.choose(this.chosen);
  }

  /** A place to begin with: in the middle of what is seen, beside what is chosen already. */
  middle() {
    const { mosaic, regions } = this.store, from = { x_um: this.mosaic.view.x_um, y_um: this.mosaic.view.y_um };
    const window = regions[0] ?? mosaic.tiles[0];
    return window ? freePlace(extent(mosaic, regions), regions, window, from) : from;
  }

  /** A place is wished for: its card with the cost comes up. */
  wish(box) {
    if (this.isAdding && box.width_um === undefined && box.fromKey) return;
    this.isAdding = true;
    this.chosen = "";
    this.mosaic.choose("");
    this.list.choose("");
    put(this.cardPlace, this.adding.element);
    this.adding.open(box);
    this.showDraft();
    if (innerWidth < 900) this.adding.element.scrollIntoView({ block: "nearest" });
  }

  /** The box that is asked about; one window is as large as the other regions. */
  showDraft() {
    const { x_um, y_um, width_um, height_um } = this.adding.wish;
    const other = this.store.regions[0];
    const size = other ? other.width_um : 40 / this.mosaic.view.scale;
    this.mosaic.draft({ x_um: x_um ?? 0, y_um: y_um ?? 0, width_um: width_um ?? size, height_um: height_um ?? size });
  }

  leaveAdding() {
    this.isAdding = false;
    this.mosaic.draft(null);
    this.adding.element.remove();
  }

  /** Which region to skip: the chosen one, else it is asked for. */
  async skip() {
    const open = this.store.regions.filter((r) => r.state === "waiting" || r.state === "scanning");
    const pick = el("select", {}, open.map((r) => el("option", { value: r.name, selected: r.name === this.chosen }, `${r.name} (${r.state})`)));
    const said = await show("Skip a region", [el("p", {}, "It is not scanned, or not any further."), el("label", { class: "field" }, "Region", pick)],
      [el("button", { value: "", type: "submit" }, "Cancel"), el("button", { value: "yes", class: "primary" }, "Skip")]);
    if (said === "yes" && pick.value) await this.orders.send({ kind: "skip", roi: pick.value });
  }

  cure(action, alarm) {
    if (!this.orders.may(action).possible) return;
    if (action === "add") this.wish(this.middle());
    else if (action === "skip") {
      const roi = `${alarm.cause} ${alarm.evidence}`.match(/roi-\d{2,}/)?.[0];
      if (roi) void this.orders.send({ kind: "skip", roi });
      else void this.skip();
    } else if (action === "until") this.actions.stage.focus();
    else void this.orders.send({ kind: action, ...(action === "stop" ? { after: "frame" } : {}) });
  }

  key(event) {
    if (event.key === "Escape" && this.isAdding) this.leaveAdding();
    else if (event.key === "Escape" && this.chosen) this.choose("");
    else if (event.key === "n" || event.key === "N") this.step(event.key === "n" ? 1 : -1);
    else return this.actions.key(event) || this.mosaic.key(event);
    return true;
  }

  step(by) {
    const { regions } = this.store;
    if (!regions.length) return;
    const at = regions.findIndex((r) => r.name === this.chosen);
    this.choose(regions[(at + by + regions.length + (at < 0 && by < 0 ? 1 : 0)) % regions.length].name);
  }

  wake() { this.store.wake(); }

  close() {
    this.closed = true;
    this.store.close();
    this.mosaic.close();
    control.removeEventListener("change", this.redraw);
    forgetPictures();
  }
}
