// A night on one page: what went well first, then what did not, with its evidence and what to do.
import { get, newRequest, post, runPath } from "./api.js";
import { control } from "./control.js";
import { command } from "./copied.js";
import { attribute, el, put, rebuild, text } from "./dom.js";
import { dose, duration, local, now, number, utc, worded } from "./format.js";
import { errorPanel, say, sayError } from "./said.js";
import { standing } from "./run/states.js";
import { timed } from "./timed.js";

const LOOK_MS = 10000;
const TURN_H = 16; // until then what is looked back on is the night before
const WORD = { continue: "Continue", resume: "Resume" };

const two = (n) => String(n).padStart(2, "0");
const dayOf = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

/** The local date of the evening of the night that one asks for now, or that a time lies in. */
export const nightOf = (iso) => {
  const at = new Date(iso ?? now());
  return dayOf(new Date(at.getTime() - (iso ? 12 : TURN_H) * 3600e3));
};

/** @returns {Promise<import("./main.js").Page>} */
export async function open(main, [day], { title }) {
  title("Night");
  const page = new NightPage(main, day ?? nightOf(null));
  await page.load();
  return page;
}

class NightPage {
  constructor(main, day) {
    this.day = day;
    this.date = el("input", { type: "date", value: day, "aria-label": "Night that began on", on: { change: () => { if (this.date.value) location.hash = `#/night/${this.date.value}`; } } });
    const step = (words, by, label) => el("button", { type: "button", "aria-label": label, title: label, on: { click: () => this.step(by) } }, words);
    this.span = el("span", { class: "muted small" });
    this.body = el("div", { class: "run" }, el("p", { class: "loading" }, "Looking at the runs of this night …"));
    put(main, el("div", { class: "night run" }, el("section", { class: "panel" }, el("div", { class: "panel-head wrap night-head" }, el("h1", {}, "Night of "), step("‹", -1, "The night before"), this.date, step("›", 1, "The next night"), this.span)), this.body));
    this.watch = () => this.draw();
    control.addEventListener("change", this.watch);
    this.timer = setInterval(() => { if (!document.hidden) void this.load(); }, LOOK_MS);
  }

  wake() { void this.load(); }

  step(by) {
    const at = new Date(`${this.day}T12:00`);
    at.setDate(at.getDate() + by);
    location.hash = `#/night/${Number.isNaN(at.getTime()) ? nightOf(null) : dayOf(at)}`;
  }

  async load() {
    const since = new Date(`${this.day}T12:00`), until = new Date(since);
    until.setDate(until.getDate() + 1);
    if (Number.isNaN(since.getTime())) return void put(this.body, errorPanel(new Error(`${this.day} is no date.`)));
    text(this.span, `${local(since.toISOString(), { day: true, seconds: false })} to ${local(until.toISOString(), { day: true, seconds: false })}, local time`);
    attribute(this.span, "title", `${utc(since.toISOString())} to ${utc(until.toISOString())}`);
    try {
      this.view = await get(`/api/night?since=${since.toISOString()}&until=${until.toISOString()}`, { timeoutMs: 60000 });
      if (!this.closed) this.draw();
    } catch (error) {
      if (!this.closed) put(this.body, errorPanel(error, () => this.load()));
      this.before = "";
    }
  }

  draw() {
    const view = this.view;
    if (!view || this.closed) return;
    const drawn = JSON.stringify([view, control.why]);
    if (drawn === this.before) return;
    this.before = drawn;
    const wrong = view.problems.length + view.items.length + view.unreadable.length;
    const all = [...view.good, ...view.problems, ...view.going_on];
    if (!all.length && !wrong) {
      return void put(this.body, el("div", { class: "empty" }, el("h2", {}, "Nothing was carried out in this night"), el("p", {}, "Choose another night above, or look among all runs."), el("p", {}, el("a", { class: "button", href: "#/" }, "All runs"))));
    }
    const built = rebuild(this.body, this.sum(view, all, wrong),
      this.part("Done", "done", view.good.map((one) => this.card(one)), "No run was complete."),
      this.part("Problems, and what to do", "problems", [...view.unreadable.map((one) => this.unread(one)), ...view.problems.map((one) => this.card(one)), ...view.items.map((one) => this.item(one))], "None."),
      view.going_on.length ? this.part("Still going on", "going", view.going_on.map((one) => this.card(one)), "") : "",
      view.left_out ? el("p", { class: "warned pad" }, `${number(view.left_out)} more runs are not told here: see the list of runs.`) : "");
    if (!built) this.before = "";
  }

  /** What is asked for first. */
  sum(view, all, wrong) {
    const total = (of) => all.reduce((sum, one) => sum + (of(one) ?? 0), 0);
    const figure = (value, words, more = "") => el("div", { class: "figure" }, el("strong", {}, value), el("span", {}, words), more ? el("span", { class: "muted small" }, more) : "");
    const word = wrong ? `${wrong} ${wrong === 1 ? "problem" : "problems"}` : "All is well";
    const queue = view.queue;
    return el("section", { class: "panel" },
      el("div", { class: "panel-head wrap" }, el("h2", {}, el("span", { class: "badge", data: { tone: wrong ? "wait" : "good" } }, word)), wrong ? el("button", { type: "button", on: { click: () => this.body.querySelector("[data-part=problems]")?.scrollIntoView({ block: "start" }) } }, "To the problems") : "", queue?.morning ? el("a", { class: "button", href: "/api/queue/morning.html", target: "_blank", rel: "noopener" }, "The queue's own page") : ""),
      el("div", { class: "figures" }, figure(`${number(view.good.length)} of ${number(all.length)}`, "runs complete"),
        figure(duration(total((o) => o.used_s)), "instrument time", `held or paused ${duration(total((o) => o.standing_s))}`),
        figure(`${number(total((o) => o.measured))} of ${number(total((o) => o.regions))}`, "regions measured"),
        figure(number(total((o) => o.particles)), "whole particles"),
        figure(number(total((o) => o.run.kept)), "frames kept", `${number(total((o) => o.run.retaken))} retaken, ${number(total((o) => o.run.missing))} missing`),
        figure(duration(total((o) => o.beam_s)), "beam used")),
      queue ? el("div", { class: "night-queue" }, el("p", {}, el("strong", {}, "Queue: "), queue.said), [...queue.problems, ...queue.reasons].map((r) => el("p", { class: "warned small" }, `▲ ${r}`)), queue.next.map(command)) : "");
  }

  part(heading, name, cards, none) {
    return el("section", { class: "panel", data: { part: name } }, el("div", { class: "panel-head" }, el("h2", {}, `${heading} (${number(cards.length)})`)), cards.length ? el("ul", { class: "night-cards" }, cards) : el("p", { class: "muted" }, none));
  }

  card(one) {
    const { run } = one;
    const to = `#/run/${encodeURIComponent(run.name)}`;
    const { word, tone } = standing(run);
    const time = (iso) => el("span", { title: utc(iso) }, local(iso, { seconds: false }));
    const link = (words, href, out = false) => el("a", { class: "button", href, ...(out ? { target: "_blank", rel: "noopener" } : {}) }, words);
    return el("li", { class: "night-card", data: { tone, run: run.name, key: run.name } },
      el("div", { class: "panel-head wrap" }, el("h3", {}, el("a", { href: to, title: run.name }, run.recipe_name || run.name), one.item === null ? "" : el("span", { class: "muted" }, ` · item ${one.item} of the queue`)), el("span", { class: "badge small", data: { tone } }, word)),
      el("p", { class: "muted" }, run.sample ? `${run.sample} · ` : "", time(run.started_utc), " to ", one.last_utc ? time(one.last_utc) : "now", `, ${duration(one.used_s)} of instrument time`, one.standing_s > 0.5 ? `, of that ${duration(one.standing_s)} held or paused` : ""),
      el("p", {}, `${number(one.measured)} of ${number(one.regions)} regions measured, ${number(one.particles)} whole particles, ${number(run.kept)} of ${number(run.planned)} frames kept`, run.retaken ? `, ${number(run.retaken)} retaken` : "", run.missing ? `, ${number(run.missing)} missing` : "", one.dose_gy === null ? "" : `, ${dose(one.dose_gy)}`, one.resumed ? `, gone on with ${number(one.resumed)} times` : ""),
      this.evidence(one), el("div", { class: "row" }, run.report ? link("Report", `/api/runs/${encodeURIComponent(run.name)}/files/report.html`, true) : "", run.results ? link("Particles", `${to}/particles`) : "", this.cure(run)),
      one.next.length && tone === "good" ? el("details", { class: "small" }, el("summary", {}, "Command"), one.next.map(command)) : one.next.map(command));
  }

  /** What went wrong, each with its numbers and its cure. */
  evidence(one) {
    const alarms = one.run.alarms.map((a) => [a.cause, a.evidence, a.cure]);
    const said = new Set(alarms.map(([cause]) => cause));
    const reasons = one.run.verdict !== "complete" ? one.run.reasons.map((r) => [`verdict ${one.run.verdict}: ${r}`, "", ""]) : [];
    const undone = one.undone.filter((r) => !said.has(`${r.name} was set aside`)).map((r) => [`${r.name}: ${worded(r.state ?? "not measured")}`, r.reason, ""]);
    const holds = one.holds.map((h) => [`held at ${duration(h.from_s)}${h.to_s === null ? ", to its end" : ` for ${duration(h.to_s - h.from_s)}`}`, h.reason, ""]);
    const rows = [...alarms, ...reasons, ...undone, ...holds, ...one.notes.map((n) => [n, "", ""])];
    return rows.length ? el("ul", { class: "night-evidence" }, rows.map(([what, why, cure]) => el("li", {}, el("strong", {}, timed(what)), why ? [": ", timed(why)] : "", cure ? el("em", {}, `. ${cure}`) : ""))) : "";
  }

  /** The button that does what the gravest alarm advises, where one can. */
  cure(run) {
    const alarm = run.alarms.find((a) => WORD[a.action]);
    if (!alarm) return "";
    const action = run.actions.find((a) => a.name === alarm.action);
    return this.button(WORD[alarm.action], `${WORD[alarm.action]}: ${run.recipe_name}`, action && !action.possible ? action.reason : control.why, async () => {
      const request = newRequest();
      const resume = alarm.action === "resume";
      return post(runPath(run.name, resume ? "resume" : "commands"), resume ? { request } : { command: { kind: alarm.action }, request }, { timeoutMs: 60000 });
    });
  }

  item(one) {
    return el("li", { class: "night-card", data: { tone: "bad", item: String(one.number) } },
      el("div", { class: "panel-head wrap" }, el("h3", {}, el("a", { href: "#/queue" }, `Item ${one.number} of the queue: ${one.name}`)), el("span", { class: "badge small", data: { tone: "bad" } }, worded(one.state))),
      el("p", {}, one.reason || "no reason is on record"),
      one.retry ? el("div", { class: "row" }, this.button("Try again", `Try again: item ${one.number}`, control.why, () => post(`/api/queue/items/${one.number}/retry`, {}))) : "", one.next.map(command));
  }

  unread(one) {
    return el("li", { class: "night-card", data: { tone: "bad" } }, el("div", { class: "panel-head" }, el("h3", {}, one.name), el("span", { class: "badge small", data: { tone: "bad" } }, "unreadable")), el("p", { class: "refused" }, one.problem));
  }

  button(words, label, why, act) {
    const node = el("button", { type: "button", class: "primary", "aria-label": label, "aria-disabled": why ? "true" : null, title: why || null, on: { click: async () => {
      if (node.hasAttribute("aria-disabled")) return void say(`${words}: ${node.title}`);
      attribute(node, "aria-disabled", "true");
      try {
        await control.ensure();
        say((await act()).text, "good");
      } catch (error) { sayError(error); }
      this.before = "";
      await this.load();
    } } }, words);
    return node;
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    control.removeEventListener("change", this.watch);
  }
}
