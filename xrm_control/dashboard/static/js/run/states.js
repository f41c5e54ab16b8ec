// The state machine as a line, with the present state lit; waiting and bad ends shown as what they are.
import { attribute, el, put, text } from "../dom.js";
import { local, utc, worded } from "../format.js";

const CHAIN = ["idle", "connecting", "homing", "mosaicking", "picking", "aligning", "referencing", "scanning", "checking", "finishing", "done"];
const WAITING = ["paused", "held"];
const BAD = ["aborting", "aborted", "failing", "failed"];

/** Whether the run stands still, and nobody knows for how long. */
export const waits = (run) => WAITING.includes(run.state) || run.died;

/** How a run stands, as one word and a tone: good, busy, wait, bad, still. */
export function standing(run) {
  if (run.died) return { word: "died", tone: "bad" };
  const state = run.state;
  if (!state) return { word: "not begun", tone: "still" };
  if (BAD.includes(state)) return { word: state, tone: state.startsWith("fail") ? "bad" : "wait" };
  if (WAITING.includes(state)) return { word: state, tone: "wait" };
  if (state === "done") return { word: run.verdict && run.verdict !== "complete" ? `done, ${run.verdict}` : "done", tone: run.verdict === "complete" || !run.verdict ? "good" : "wait" };
  if (!run.alive) return { word: `${state}, nobody carries it out`, tone: "wait" };
  return { word: state, tone: "busy" };
}

export class StateLine {
  constructor() {
    this.steps = CHAIN.map((state) => el("li", { data: { state } }, el("span", { class: "dot", "aria-hidden": "true" }), el("span", { class: "step-name" }, state)));
    this.reason = el("p", { class: "state-reason", tabindex: 0 });
    /** beside the reason: what the page wants to put there */ this.beside = el("span", { class: "row" });
    this.element = el("section", { class: "states", "aria-label": "State of the run" }, el("ol", { class: "chain", tabindex: 0, "aria-label": "States of a run, in order" }, this.steps), (this.row = el("div", { class: "state-row" }, el("div", { class: "state-words" }, this.reason, this.beside))));
  }

  update(run) {
    const state = run.state ?? "idle";
    const waiting = WAITING.includes(state), bad = BAD.includes(state) || run.died;
    const at = waiting || bad ? run.before_waiting ?? (run.died ? state : null) : state;
    const index = CHAIN.indexOf(at ?? "");
    this.steps.forEach((step, i) => {
      const here = i === index;
      attribute(step, "class", here ? `here ${waiting ? "waiting" : bad ? "bad" : state === "done" ? "good" : "busy"}` : i < index ? "past" : null);
      attribute(step, "aria-current", here ? "step" : null);
      text(step.lastChild, here && waiting ? `${CHAIN[i]} · ${state}` : CHAIN[i]);
    });
    attribute(this.element, "data-tone", standing(run).tone);
    const since = run.state_utc ? el("span", { class: "muted", title: utc(run.state_utc) }, `${run.died ? `, in ${state}` : ""} since ${local(run.state_utc)}`) : "";
    const words = run.died ? "The process that carried it out is gone" : worded(run.state);
    put(this.reason, el("strong", {}, words), since, run.state_reason ? `: ${run.state_reason}` : "",
      run.ended && run.reasons.length ? `. ${run.reasons.join("; ")}` : "");
    const here = this.steps[index];
    if (here && here !== this.shown) {
      const chain = here.parentElement;
      if (chain.scrollWidth > chain.clientWidth) chain.scrollLeft = here.offsetLeft - chain.clientWidth / 2;
      this.shown = here;
    }
  }
}
