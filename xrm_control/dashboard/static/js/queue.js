// The queue of the night: what comes when, moved by dragging or by buttons, skipped and tried again; what is over.
import { get, newRequest, post } from "./api.js";
import { control } from "./control.js";
import { attribute, el, put, rebuild, text } from "./dom.js";
import { duration, local, utc, worded } from "./format.js";
import { errorPanel, say, sayError } from "./said.js";

const LOOK_MS = 3000;
const TONES = { running: "busy", held: "wait", paused: "wait", done: "good", incomplete: "wait", failed: "bad", refused: "bad", expired: "bad" };

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, _parts, { title }) {
  title("Queue");
  const page = new QueuePage(main);
  await page.load();
  return page;
}

class QueuePage {
  constructor(main) {
    this.main = main;
    this.count = el("span", { class: "muted", role: "status" });
    this.stop = el("button", { type: "button", on: { click: () => { if (!this.stop.hasAttribute("aria-disabled")) void this.act("/api/queue/stop", {}); } } }, "End after the item in hand");
    this.run = el("button", { type: "button", class: "primary", on: { click: () => { if (!this.run.hasAttribute("aria-disabled")) void this.begin(); } } }, "Run the queue");
    this.morning = el("a", { class: "button", href: "/api/queue/morning.html", target: "_blank", rel: "noopener" }, "Morning page");
    this.remarks = el("div", {});
    this.ahead = el("tbody", {});
    this.over = el("tbody", {});
    const heads = (...names) => el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name || el("span", { class: "sr-only" }, "Actions")))));
    this.tableAhead = el("table", { class: "list" }, heads("Item", "State", "Begins", "Ends", "Takes", "Priority", ""), this.ahead);
    this.tableOver = el("table", { class: "list" }, heads("Item", "State", "Ended as", ""), this.over);
    this.past = el("div", {}, el("h2", {}, "What is over"), el("div", { class: "scroll-x" }, this.tableOver));
    this.note = el("div", {});
    this.root = el("section", { class: "panel queue" }, el("div", { class: "panel-head wrap" }, el("h1", {}, "Queue"), this.count, this.morning, this.stop, this.run),
      this.remarks, el("div", { class: "scroll-x" }, this.tableAhead), this.note,
      this.past);
    put(main, this.root);
    this.watch = () => this.draw();
    control.addEventListener("change", this.watch);
    this.timer = setInterval(() => { if (!document.hidden && !this.dragged) void this.load(); }, LOOK_MS);
  }

  wake() { if (!this.dragged) void this.load(); }

  async load() {
    try {
      this.view = await get("/api/queue", { timeoutMs: 15000 });
      put(this.note);
      this.draw();
    } catch (error) {
      if (!this.closed) put(this.note, errorPanel(error, () => this.load()));
    }
  }

  draw() {
    const view = this.view;
    if (!view || this.closed) return;
    // Times are shown to the minute: nothing is built anew for a second.
    const drawn = JSON.stringify([view, control.why]).replaceAll(/(T\d\d:\d\d):[\d.]+/g, "$1");
    if (drawn === this.before) return;
    const built = [
      rebuild(this.ahead, view.ahead.map((item, at) => this.row(item, at))),
      rebuild(this.over, view.over.map((item) => el("tr", {}, this.name(item), this.state(item, ""), el("td", { class: "why" }, item.reason || "–"), this.buttons(item)))),
    ];
    this.before = built.every(Boolean) ? drawn : "";
    const ends = view.ends ? `, to ${local(view.ends, { day: true, seconds: false })} by plan` : "";
    text(this.count, `${view.ahead.length} ahead, ${duration(view.seconds)}${ends}; ${view.runner ? `run by process ${view.runner}` : "nobody runs it"}`);
    this.may(this.run, view.runner ? "it is being run" : view.ahead.length ? control.why : "nothing is ahead");
    this.may(this.stop, view.runner ? control.why : "nobody runs the queue");
    this.morning.hidden = !view.morning;
    put(this.remarks, view.remarks.map((words) => el("p", { class: "refused", role: "alert" }, words)));
    this.tableAhead.hidden = view.ahead.length === 0;
    this.past.hidden = view.over.length === 0;
    if (!view.ahead.length) put(this.note, el("div", { class: "empty" }, el("h2", {}, "Nothing is ahead"), el("p", {}, "Choose a recipe, and put it into the queue; or: xrm queue add RECIPE."), el("p", {}, el("a", { class: "button", href: "#/launch" }, "Choose a recipe"))));
  }

  row(item, at) {
    const movable = item.actions.includes("move") && !control.why;
    const time = (iso, head) => el("td", { title: iso ? utc(iso) : "", data: { head } }, iso ? local(iso, { day: true, seconds: false }) : "–");
    const row = el("tr", { draggable: movable ? "true" : null, class: movable ? "movable" : "", on: {
      dragstart: (event) => { this.dragged = item.number; event.dataTransfer.effectAllowed = "move"; },
      dragend: () => { this.dragged = null; },
      dragover: (event) => { if (this.dragged && this.dragged !== item.number) event.preventDefault(); },
      drop: (event) => { event.preventDefault(); this.dropped(item, at); },
    } }, this.name(item), this.state(item), time(item.begins, "begins"), time(item.ends, "ends"), el("td", { data: { head: "takes" } }, duration(item.seconds)), el("td", { data: { head: "priority" } }, String(item.priority)), this.buttons(item, at));
    return row;
  }

  /** Behind the row when it came from above, in front of it when it came from below. */
  dropped(item, at) {
    const from = this.view.ahead.findIndex((one) => one.number === this.dragged);
    const number = this.dragged;
    this.dragged = null;
    if (from < 0 || from === at) return;
    void this.act(`/api/queue/items/${number}/move`, from < at ? { after: item.number } : { before: item.number });
  }

  name(item) {
    const link = item.run ? el("a", { href: `#/run/${encodeURIComponent(item.run)}` }, item.name) : item.name;
    return el("td", {}, `${item.number}  `, link);
  }

  state(item, said) {
    const why = said !== undefined ? said : item.obstacle ? `will not be begun: ${item.obstacle}` : item.deadline ? `by ${local(item.deadline, { day: true, seconds: false })}` : item.reason;
    return el("td", {}, el("span", { class: `badge small ${item.obstacle ? "bad" : TONES[item.state] ?? ""}` }, worded(item.state)), why ? el("div", { class: "muted" }, why) : "");
  }

  buttons(item, at = -1) {
    const order = this.view.ahead.filter((one) => one.actions.includes("move"));
    const place = order.findIndex((one) => one.number === item.number);
    const to = (words, where, other) => {
      const button = el("button", { type: "button", class: "quiet", "aria-label": `${words}: item ${item.number}`, on: { click: () => { if (!button.hasAttribute("aria-disabled")) void this.act(`/api/queue/items/${item.number}/move`, where); } } }, words);
      this.may(button, other ? control.why : "it stands there already");
      return button;
    };
    const simple = (words, act) => {
      const button = el("button", { type: "button", class: "quiet", "aria-label": `${words}: item ${item.number}`, on: { click: () => void this.act(`/api/queue/items/${item.number}/${act}`, {}) } }, words);
      this.may(button, control.why);
      return button;
    };
    return el("td", { class: "item-actions" },
      item.actions.includes("move") && at >= 0 ? [to("Up", { before: order[place - 1]?.number }, place > 0), to("Down", { after: order[place + 1]?.number }, place < order.length - 1), to("First", { first: true }, place > 0)] : "",
      item.actions.includes("skip") ? simple("Skip", "skip") : "", item.actions.includes("retry") ? simple("Try again", "retry") : "");
  }

  may(button, why) {
    attribute(button, "aria-disabled", why ? "true" : null);
    attribute(button, "title", why || null);
  }

  async begin() {
    await this.act("/api/queue/run", { request: (this.request ??= newRequest()) });
    this.request = null;
  }

  async act(path, body) {
    if (control.why) return void say(control.why, "bad");
    try {
      await control.ensure();
      say((await post(path, body)).text, "good");
    } catch (error) { sayError(error); }
    await this.load();
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    control.removeEventListener("change", this.watch);
  }
}
