// The rehearsal of a draft, beside its plan: asked for, watched, called off, and what the night came to on the twin.
import { get, newRequest, post, RefusedError } from "./api.js";
import { attribute, el, put, text } from "./dom.js";
import { bytes, clockIn, dose, duration, local, number, utc } from "./format.js";
import { say } from "./said.js";

const LOOK_MS = 700;

const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));

export class RehearsalPanel {
  /** @param {() => any} draft the draft as it stands, null while there is none */
  constructor(draft) {
    this.draft = draft;
    this.why = "choose a recipe first";
    this.reason = el("span", { class: "sr-only", id: "why-rehearse" });
    this.button = el("button", { type: "button", "aria-disabled": "true", "aria-describedby": "why-rehearse", on: { click: () => void this.press() } }, "Rehearse");
    this.told = el("div", { class: "rehearsed", "aria-live": "polite" });
    this.element = el("section", { class: "rehearsal", "aria-labelledby": "rehearsal-head" },
      el("div", { class: "panel-head" }, el("h2", { id: "rehearsal-head" }, "Rehearsal"), this.button, this.reason), this.told);
    this.show({ state: "none" });
    void this.look();
  }

  /** Whether the draft can be rehearsed ("" or why not). */
  may(why) {
    this.why = why;
    this.offer();
  }

  offer() {
    const playing = this.view.state === "playing";
    text(this.button, playing ? "Cancel rehearsal" : "Rehearse");
    const why = playing ? "" : this.why;
    attribute(this.button, "aria-disabled", why ? "true" : null);
    attribute(this.button, "title", why || (playing ? null : "Play the whole night on the twin of the instrument; nothing moves"));
    text(this.reason, why);
    this.fits();
  }

  /** Whether what is shown is of the draft as it stands. */
  fits() {
    const draft = this.draft();
    const same = draft && draft.file === this.view.file && sorted(draft.settings) === sorted(this.view.settings ?? {});
    attribute(this.element, "data-stale", this.view.state !== "none" && !same);
    if (this.stale) this.stale.hidden = Boolean(same);
  }

  async look() {
    clearTimeout(this.timer);
    try { this.show(await get("/api/rehearsal", { timeoutMs: 8000 })); } catch { /* asked again while it is played */ }
    if (this.view.state === "playing" && !this.closed) this.timer = setTimeout(() => void this.look(), LOOK_MS);
  }

  async press() {
    if (this.button.hasAttribute("aria-disabled")) return void say(`Rehearse: ${this.button.title}`);
    try {
      if (this.view.state === "playing") this.show(await post("/api/rehearsal/cancel"));
      else this.show(await post("/api/rehearsal", { ...this.draft(), request: (this.request ??= newRequest()) }, { timeoutMs: 60000 }));
      this.request = null;
    } catch (error) {
      // Not reached: the same request again begins nothing twice.
      if (!(error instanceof RefusedError) || error.status !== 0) this.request = null;
      say(error instanceof Error ? error.message : String(error), "bad");
    }
    void this.look();
  }

  show(view) {
    if (this.closed) return;
    const before = JSON.stringify({ ...this.view, elapsed_s: 0 });
    this.view = view;
    if (view.state === "playing" && before === JSON.stringify({ ...view, elapsed_s: 0 })) {
      text(this.passed, duration(view.elapsed_s));
      this.bar.value = view.elapsed_s;
    } else put(this.told, this.content(view));
    this.offer();
  }

  content(view) {
    this.stale = null;
    if (view.state === "none") return el("p", { class: "muted small" }, "The whole night on the twin of the instrument: time, verdict, frames, disk, dose, how far the axes go. Nothing moves.");
    this.stale = el("p", { class: "warned small", hidden: true }, `▲ Of ${view.file} with other settings than those now.`);
    if (view.state === "playing") {
      this.passed = el("span", {}, duration(view.elapsed_s));
      this.bar = el("progress", { max: view.limit_s, value: view.elapsed_s, "aria-label": "Time played, of its limit" });
      return [this.stale, el("p", {}, "Played for ", this.passed, el("span", { class: "muted" }, ` (limit ${duration(view.limit_s)})`)), this.bar];
    }
    if (view.state === "cancelled") return [this.stale, el("p", { class: "muted" }, "Cancelled.")];
    if (!view.night) return [this.stale, el("p", { class: "refused", role: "alert" }, "It could not be played to its end."), el("p", { class: "refused small" }, view.said)];
    return [this.stale, ...this.night(view, view.night)];
  }

  night(view, night) {
    const { time } = night;
    const grave = night.missing > 0 || night.verdicts.some((v) => v !== "complete");
    return [
      el("dl", { class: "facts" },
        fact("Verdict", el("span", { class: grave ? "warned" : "" }, counted(night.verdicts))),
        fact("Instrument time", el("span", { title: time.of }, `${duration(time.p50_s)}`), el("span", { class: "muted" }, ` (10 to 90 %: ${duration(time.p10_s)} to ${duration(time.p90_s)})`)),
        fact("By plan", duration(night.planned_s)), fact("Done, if begun now", clockIn(time.p50_s)),
        fact("Frames kept", `${number(night.kept)} of ${number(night.planned_frames)}`),
        fact("Retaken / missing", el("span", { class: night.missing ? "warned" : "" }, `${number(night.retaken)} / ${number(night.missing)}`)),
        fact("Disk", bytes(night.disk_bytes)), fact("Dose, all scans", dose(night.dose_gy)),
        night.axes.map((a) => fact(`Axis ${a.axis}`, el("span", { title: a.limits ? `limits ${number(a.limits[0])} to ${number(a.limits[1])} ${a.unit}` : null }, `${number(a.low)} to ${number(a.high)} ${a.unit}`)))),
      night.reasons.length ? el("ul", {}, night.reasons.map((r) => el("li", { class: "warned small" }, `▲ ${r}`))) : "",
      night.holds.length ? el("ul", { class: "small" }, night.holds.map((h) => el("li", {}, `held at ${duration(h.from_s)}${h.to_s === null ? " to its end" : ` for ${duration(h.to_s - h.from_s)}`}: ${h.reason}`))) : "",
      el("details", { class: "small" }, el("summary", {}, "What it is of"), el("p", { class: "muted" }, `Time: ${time.of}.`), el("p", { class: "muted" }, `Start: ${night.start}.`), night.notes.map((n) => el("p", { class: "muted" }, `${n}.`)),
        el("p", { class: "muted" }, "Afterwards: ", el("code", {}, `xrm compare RUN --with ${view.folder}`))),
      el("p", { class: "muted small", title: utc(view.started_utc) }, `Rehearsed ${local(view.started_utc, { day: true, seconds: false })}, in ${duration(view.elapsed_s)}; simulated, no data.`),
    ];
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}

/** Each verdict, and of how many nights where there are several. */
function counted(verdicts) {
  const different = [...new Set(verdicts)];
  return verdicts.length === 1 ? verdicts[0] : different.map((v) => `${verdicts.filter((w) => w === v).length} × ${v}`).join(", ");
}

const sorted = (settings) => JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
