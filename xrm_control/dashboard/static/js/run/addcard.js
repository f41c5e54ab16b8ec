// The card of a place to be added: where, how large, and what it costs before it is confirmed.
import { attribute, el, put } from "../dom.js";
import { bytes, dose, duration, number } from "../format.js";

/** Emits "box" when a number was changed, "done" when it was added or left. */
export class AddCard extends EventTarget {
  /** @param {import("./orders.js").Orders} orders */
  constructor(orders) {
    super();
    this.orders = orders;
    const field = (key, label) => {
      const input = el("input", { type: "number", step: "any", required: key === "x_um" || key === "y_um", min: key.startsWith("w") || key.startsWith("h") ? "0" : null, on: { input: () => this.typed() } });
      this.inputs[key] = input;
      return el("label", { class: "field" }, label, input);
    };
    /** @type {Record<string, any>} */ this.inputs = {};
    const fields = [field("x_um", "x, µm"), field("y_um", "y, µm"), field("width_um", "width, µm"), field("height_um", "height, µm")];
    this.price = el("div", { class: "price", "aria-live": "polite" });
    this.add = el("button", { type: "submit", class: "primary" }, "Add");
    this.element = el("form", { class: "panel card add-card", "aria-labelledby": "add-head", on: { submit: (e) => { e.preventDefault(); void this.confirm(); } } },
      el("h2", { id: "add-head" }, "Add a region"), el("div", { class: "fields" }, fields),
      el("p", { class: "muted small" }, "Without width and height: one window around the place."), this.price,
      el("div", { class: "row" }, this.add, el("button", { type: "button", on: { click: () => this.leave() } }, "Cancel")));
  }

  /** @param {{x_um: number, y_um: number, width_um?: number, height_um?: number}} box */
  open(box) {
    for (const [key, input] of Object.entries(this.inputs)) input.value = box[key] === undefined ? "" : String(Math.round(box[key] * 10) / 10);
    this.ask();
    this.add.focus({ preventScroll: true });
  }

  get wish() {
    const number_ = (key) => (this.inputs[key].value === "" ? null : Number(this.inputs[key].value));
    const width = number_("width_um"), height = number_("height_um");
    const wish = { kind: "add", x_um: number_("x_um"), y_um: number_("y_um") };
    if (width || height) Object.assign(wish, { width_um: width || height, height_um: height || width });
    return wish;
  }

  typed() {
    this.dispatchEvent(new Event("box"));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 250);
  }

  /** What it costs; Add waits for the answer. */
  async ask() {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const { wish } = this;
    this.priced = false;
    this.may(false, "the cost is being worked out");
    if (!Number.isFinite(wish.x_um) || !Number.isFinite(wish.y_um) || wish.x_um === null || wish.y_um === null) return void put(this.price, el("p", {}, "Give a place."));
    put(this.price, el("p", { class: "muted" }, "Working out what it costs …"));
    try {
      const cost = await this.orders.cost(wish, asking.signal);
      if (asking.signal.aborted) return;
      const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
      put(this.price, el("dl", { class: "facts cost" }, fact("Time", duration(cost.seconds)), fact("Dose", dose(cost.dose_gy)),
        fact("Particles expected", cost.particles === null ? "–" : `about ${number(cost.particles, 2)}`),
        fact("Windows", number(cost.windows)), fact("Disk", bytes(cost.bytes))));
      this.priced = true;
      this.update();
    } catch (error) {
      if (asking.signal.aborted) return;
      put(this.price, el("p", { class: "refused", role: "alert" }, error instanceof Error ? error.message : String(error)));
      this.may(false, "it is refused, see above");
    }
  }

  /** The run may have become known, or have ended, since the cost was asked for. */
  update() {
    if (!this.priced) return;
    const may = this.orders.may("add");
    this.may(may.possible, may.reason);
  }

  may(possible, reason) {
    attribute(this.add, "aria-disabled", possible ? null : "true");
    attribute(this.add, "title", possible ? null : reason);
  }

  async confirm() {
    if (this.add.hasAttribute("aria-disabled")) return;
    this.priced = false;
    this.may(false, "it is being sent");
    if (await this.orders.send(this.wish)) this.leave();
    else this.ask();
  }

  leave() {
    this.asking?.abort();
    this.dispatchEvent(new Event("done"));
  }
}
