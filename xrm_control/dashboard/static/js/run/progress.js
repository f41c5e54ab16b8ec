// How far the run and its stages are, and the conditions: flux, disk.
import { attribute, el, keyed, put, text } from "../dom.js";
import { bytes, clockIn, duration, number, percent, um } from "../format.js";
import { waits } from "./states.js";

function bar(label) {
  const node = el("div", { class: "bar-row" }, el("span", { class: "bar-name" }), el("progress", { max: 1, value: 0, "aria-label": label }), el("span", { class: "bar-count" }));
  [node.nameText, node.bar, node.count] = node.children;
  return node;
}

function setBar(node, name, done, planned) {
  text(node.nameText, name);
  const share = planned > 0 ? Math.min(1, done / planned) : 0;
  if (node.bar.value !== share) node.bar.value = share;
  attribute(node.bar, "aria-valuetext", `${done} of ${planned} frames`);
  text(node.count, `${number(done)} / ${number(planned)}`);
}

export class Progress {
  constructor() {
    this.whole = bar("Frames of the run");
    this.stages = el("div", { class: "stages" });
    this.facts = el("dl", { class: "facts" });
    this.element = el("section", { class: "panel progress", "aria-labelledby": "progress-head" }, el("h2", { id: "progress-head" }, "Progress"), this.whole, this.stages, this.facts);
    /** @type {Record<string, HTMLElement>} */ this.cells = {};
    for (const [key, name] of [["remaining", "Remaining"], ["time", "Instrument time"], ["retaken", "Retaken / missing"], ["flux", "Flux at the last flat"], ["beside", "Sample beside its place"], ["watched", "Watched values"], ["disk", "Disk free"], ["particles", "Whole particles"], ["voided", "With voids"]]) {
      this.cells[key] = el("dd", {}, "–");
      this.facts.append(el("div", {}, el("dt", {}, name), this.cells[key]));
    }
  }

  update(run, regions) {
    setBar(this.whole, "Run", run.kept + run.missing, run.planned);
    const scans = run.stages.filter((s) => s.roi);
    const rest = run.stages.filter((s) => !s.roi);
    const busy = scans.filter((s) => s.done < s.planned && s.done > 0).slice(0, 2);
    const rows = [...rest.map((s) => [s.name, s.name, s.done, s.planned]), ...busy.map((s) => [s.roi, s.roi, s.done, s.planned])];
    keyed(this.stages, rows, (r) => r[0], (r) => bar(`Frames of ${r[1]}`), (node, r) => setBar(node, r[1], r[2], r[3]));
    const c = this.cells;
    put(c.remaining, run.remaining_s === null ? (run.ended ? "ended" : "–") : [duration(run.remaining_s), el("span", { class: "muted" }, waits(run) ? " once it goes on" : ` until ${clockIn(run.remaining_s)}`)]);
    text(c.time, `${duration(run.t_s)} of ${duration(run.planned_s)}`);
    text(c.retaken, `${number(run.retaken)} / ${number(run.missing)}`);
    attribute(c.retaken, "class", run.missing > 0 ? "warned" : null);
    text(c.flux, run.flux === null ? "–" : `${percent(100 * run.flux)} of the first`);
    attribute(c.flux, "class", run.flux !== null && run.flux < 0.8 ? "warned" : null);
    const { beside, watched = [] } = run, far = beside ? Math.hypot(beside.x_um, beside.y_um) : 0;
    text(c.beside, beside ? `${number(far, 2)} µm` : "–");
    attribute(c.beside, "title", beside ? `${beside.of}: x ${um(beside.x_um, 2)}, y ${um(beside.y_um, 2)}${beside.allowed_um === null ? "" : `; allowed ${um(beside.allowed_um, 2)}`}` : "Nothing was compared yet");
    attribute(c.beside, "class", beside && beside.allowed_um !== null && far > beside.allowed_um ? "warned" : null);
    const out = watched.filter((w) => w.out);
    text(c.watched, !watched.length ? "none" : out.length ? out.map((w) => `▲ ${w.value} ${w.out}, wanted ${w.limit}`).join("; ") : `${number(watched.length)} in order`);
    attribute(c.watched, "title", watched.map((w) => `${w.value}: ${w.limit}`).join("; ") || "The recipe watches no value (its part conditions)");
    attribute(c.watched, "class", out.length ? "warned" : null);
    text(c.disk, bytes(run.disk_free_bytes));
    const measured = regions.filter((r) => r.particles !== null);
    const looked = measured.filter((r) => r.voided !== null);
    const sum = (of, rows) => rows.reduce((total, r) => total + of(r), 0);
    text(c.particles, measured.length ? `${number(sum((r) => r.particles, measured))}${run.ended ? "" : " so far"}` : "none measured yet");
    // A count is of what was measured; the report's share is of the powder, where seldom ones count for more.
    const share = run.voided_share, known = share && share.value !== null;
    text(c.voided, (looked.length ? `${number(sum((r) => r.voided, looked))} of ${number(sum((r) => r.particles, looked))}` : "–") + (known ? `; ${percent(100 * share.value)} of the powder` : ""));
    attribute(c.voided, "title", known ? `Weighted as in the report${share.interval ? `; 95 %: ${percent(100 * share.interval[0])} to ${percent(100 * share.interval[1])}` : ""}` : null);
  }
}
