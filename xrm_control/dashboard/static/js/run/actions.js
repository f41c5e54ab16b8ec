// The bar of actions: what cannot be done now is greyed and says why; abort is always there.
import { attribute, el, put, text } from "../dom.js";
import { say } from "../said.js";

/** A button that stays reachable while it is off, so that its reason can be read, and told where there is no hovering. */
function button(name, label, keys, act, className = "") {
  const reason = el("span", { class: "sr-only", id: `why-${name}` });
  const node = el("button", { type: "button", class: className, "aria-describedby": reason.id, "aria-keyshortcuts": keys || null, on: { click: () => (node.hasAttribute("aria-disabled") ? say(`${node.textContent}: ${node.title}`) : act()) } }, label);
  return { name, node, reason, hint: keys };
}

export class ActionBar {
  /**
   * @param {import("./orders.js").Orders} orders
   * @param {{add: () => void, skip: () => void, regions: () => any[]}} on
   */
  constructor(orders, on) {
    this.orders = orders;
    this.on = on;
    const send = (kind) => () => void orders.send({ kind });
    this.after = el("select", { "aria-label": "Stop after" }, [["frame", "this frame"], ["scan", "this scan"], ["region", "this region"]].map(([v, w]) => el("option", { value: v }, w)));
    this.stage = el("select", { "aria-label": "Run until the end of" });
    this.buttons = [
      button("pause", "Pause", "p", send("pause")),
      button("continue", "Continue", "c", send("continue")),
      button("resume", "Resume", "", send("resume"), "primary"),
      button("add", "Add region", "", on.add),
      button("skip", "Skip region", "", on.skip),
      button("stop", "Stop after", "", () => void orders.send({ kind: "stop", after: this.after.value })),
      button("until", "Run until", "", () => void orders.send({ kind: "until", stage: this.stage.value })),
      button("abort", "Abort", "Shift+A", send("abort"), "abort"),
    ];
    const group = (name) => {
      const { node, reason } = this.by(name);
      return name === "stop" ? el("span", { class: "joined" }, node, this.after, reason) : name === "until" ? el("span", { class: "joined" }, node, this.stage, reason) : [node, reason];
    };
    this.element = el("div", { class: "actions", role: "toolbar", "aria-label": "Actions" }, el("div", { class: "actions-row" }, this.buttons.slice(0, -1).map((b) => b.name).map(group)), group("abort"));
  }

  by(name) { return /** @type {any} */ (this.buttons.find((b) => b.name === name)); }

  update() {
    for (const { name, node, reason, hint } of this.buttons) {
      const may = this.orders.may(name);
      attribute(node, "aria-disabled", may.possible ? null : "true");
      attribute(node, "title", may.possible ? (hint ? `${node.textContent} (${hint})` : null) : may.reason);
      text(reason, may.possible ? "" : may.reason);
    }
    const resume = this.by("resume"), go = this.by("continue");
    // One of the two makes sense at a time; the place stays the same.
    const dead = this.orders.may("resume").possible || (!this.orders.may("continue").possible && this.orders.store.run?.died);
    resume.node.hidden = !dead;
    go.node.hidden = Boolean(dead);
    const stages = ["mosaic", "rois", ...this.on.regions().map((r) => r.name)];
    if (JSON.stringify(stages) !== this.stagesBefore) {
      const kept = this.stage.value;
      put(this.stage, stages.map((s) => el("option", { value: s }, s === "mosaic" ? "the mosaic" : s === "rois" ? "the choice of regions" : s)));
      if (stages.includes(kept)) this.stage.value = kept;
      this.stagesBefore = JSON.stringify(stages);
    }
  }

  key(event) {
    const name = event.key === "p" ? "pause" : event.key === "c" ? "continue" : event.key === "A" && event.shiftKey ? "abort" : "";
    if (!name) return false;
    this.by(name).node.click();
    return true;
  }
}
