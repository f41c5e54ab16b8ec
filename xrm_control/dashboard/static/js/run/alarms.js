// What wants an eye: cause, evidence, cure, and the button that does it; new ones are read aloud.
import { attribute, el, keyed, put, text } from "../dom.js";
import { timed } from "../timed.js";
import { alertAloud } from "../said.js";

const SIGN = { error: "✕ Error", warning: "▲ Warning", info: "● Note", debug: "● Note" };
const WORD = { continue: "Continue", resume: "Resume", pause: "Pause", abort: "Abort", stop: "Stop after the frame", skip: "Skip region", add: "Add a region", until: "Until …" };

export class Alarms {
  /** @param {(action: string, alarm: any) => void} act @param {(action: string) => {possible: boolean, reason: string}} may */
  constructor(act, may) {
    this.act = act;
    this.may = may;
    this.known = new Set();
    this.none = el("p", { class: "muted none says-none" }, "No alarm.");
    this.list = el("ul", { class: "alarm-list" });
    this.element = el("section", { class: "alarms", "aria-label": "Alarms", tabindex: 0 }, this.none, this.list, (this.count = el("span", { class: "alarm-count" })));
  }

  update(alarms) {
    this.none.hidden = alarms.length > 0;
    attribute(this.element, "data-alarms", alarms.length || null);
    text(this.count, alarms.length > 1 ? `${alarms.length} in all` : "");
    keyed(this.list, alarms, (a) => JSON.stringify([a.cause, a.action]), (a) => this.make(a), (node, a) => {
      attribute(node, "data-level", a.level);
      text(node.sign, SIGN[a.level] ?? a.level);
      text(node.cause, a.cause);
      if (node.said !== a.evidence) { node.said = a.evidence; put(node.evidence, timed(a.evidence)); }
      text(node.cure, a.cure);
      if (node.button) {
        const { possible, reason } = this.may(a.action);
        attribute(node.button, "aria-disabled", possible ? null : "true");
        attribute(node.button, "title", possible ? null : reason);
      }
    });
    const fresh = alarms.filter((a) => !this.known.has(a.cause));
    this.known = new Set(alarms.map((a) => a.cause));
    if (fresh.length) alertAloud(fresh.map((a) => `${a.level}: ${a.cause}. ${a.cure}`).join(" "));
  }

  make(alarm) {
    const button = WORD[alarm.action] ? el("button", { type: "button", on: { click: () => this.act(alarm.action, alarm) } }, WORD[alarm.action]) : null;
    const node = el("li", { class: "alarm" }, el("span", { class: "sign" }), el("div", { class: "alarm-words" }, el("strong", {}), el("p", { class: "evidence" }), el("p", { class: "cure" })), button);
    node.sign = node.children[0];
    [node.cause, node.evidence, node.cure] = node.children[1].children;
    node.button = button;
    return node;
  }
}
