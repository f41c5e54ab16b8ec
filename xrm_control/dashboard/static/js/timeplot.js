// A small chart over time: local time on its axis, limits drawn in, points walked through with the arrow keys.
import { attribute, el, headed, put, text } from "./dom.js";
import { local, number, utc } from "./format.js";
import { axis, colourOf } from "./particles/histogram.js";
import uPlot from "../vendor/uplot/uPlot.min.js";

/**
 * @typedef {{at: number, iso: string|null, value: number, low?: number|null, high?: number|null, words: string, name?: string, mark?: string, go?: string}} Spot
 * at: where it stands on the axis; iso: its time; words: of the reading; name: of its place on an axis without times; mark: "bad" beyond its limits, "open" does not count
 */
export class TimePlot {
  /** @param {{heading: string, unit: string, note?: string, height?: number, byTime?: boolean, line?: boolean}} about */
  constructor(about) {
    this.about = { height: 190, byTime: true, line: true, ...about };
    /** @type {Spot[]} */ this.spots = [];
    this.chosen = -1;
    this.place = el("div", { class: "timeplot", tabindex: 0, role: "group", on: { keydown: (event) => this.key(event), pointermove: (event) => this.point(event), click: () => this.open(), blur: () => this.choose(-1), pointerleave: () => this.choose(-1) } });
    this.reading = el("p", { class: "small reading", "aria-live": "polite" });
    this.none = el("p", { class: "muted none-yet" }, "Nothing to show yet.");
    this.table = el("details", { class: "small" }, el("summary", {}, "As a table"));
    this.element = el("section", { class: "panel plot-panel" }, el("h2", {}, about.heading, el("span", { class: "muted" }, ` (${about.unit})`)), this.place, this.none, this.reading, about.note ? el("p", { class: "muted small" }, about.note) : "", this.table);
    this.sized = new ResizeObserver(() => { if (this.plot && this.place.clientWidth) this.plot.setSize({ width: this.place.clientWidth, height: this.about.height }); });
    this.sized.observe(this.place);
    this.redraw = () => { this.before = ""; this.show(this.spots, this.lines); };
    addEventListener("xrm-theme", this.redraw);
    this.table.addEventListener("toggle", () => this.fill());
  }

  /** Another unit, as of a value that has grown. */
  rename(unit) {
    this.about.unit = unit;
    this.before = "";
    text(this.element.querySelector("h2 .muted"), ` (${unit})`);
  }

  /** @param {Spot[]} spots @param {{value: number, words: string, dash?: number[]}[]} lines */
  show(spots, lines = []) {
    this.spots = spots;
    this.lines = lines;
    const drawn = JSON.stringify([spots, lines]);
    if (drawn === this.before) return;
    this.before = drawn;
    this.place.hidden = !spots.length;
    this.none.hidden = spots.length > 0;
    this.table.hidden = !spots.length;
    this.plot?.destroy();
    this.plot = null;
    put(this.place);
    this.fill();
    const last = spots[spots.length - 1];
    const limits = lines.map((l) => `${l.words} ${number(l.value)} ${this.about.unit}`).join(", ");
    attribute(this.place, "aria-label", `${this.about.heading}: ${spots.length} points${last ? `, the last ${number(last.value)} ${this.about.unit}` : ""}${limits ? `; ${limits}` : ""}. Arrow keys go from point to point${spots.some((s) => s.go) ? ", Enter opens its run" : ""}.`);
    this.say();
    if (!spots.length || !this.place.isConnected) return;
    const values = [...spots.flatMap((s) => [s.value, s.low ?? s.value, s.high ?? s.value]), ...lines.map((l) => l.value)];
    let low = Math.min(...values), high = Math.max(...values);
    const pad = (high - low || Math.abs(high) * 0.02 || 1) * 0.08;
    [low, high] = [low - pad, high + pad];
    const named = new Map(spots.map((s) => [s.at, (s.name ?? String(s.at + 1)).slice(0, 15)]));
    const first = spots[0].at, end = last.at, room = end > first ? (end - first) * 0.03 : this.about.byTime ? 60 : 1;
    const xAxis = this.about.byTime
      ? { ...axis(""), size: 30, labelSize: 0, label: undefined, values: (_, ticks) => ticks.map((t) => local(new Date(t * 1000).toISOString(), { seconds: end - first < 300, day: end - first > 4 * 86400 }).replace(/ .*/, "")), space: end - first > 4 * 86400 ? 90 : 60 }
      : { ...axis(""), size: 30, labelSize: 0, label: undefined, incrs: [1, 2, 5, 10, 20, 50, 100], space: 110, values: (_, ticks) => ticks.map((t) => named.get(t) ?? "") };
    this.plot = new uPlot({
      width: this.place.clientWidth || 400, height: this.about.height, legend: { show: false }, cursor: { show: false }, padding: [8, this.about.byTime ? 12 : 44, 0, 0],
      scales: { x: { time: false, range: () => [first - room, end + room] }, y: { range: () => [low, high] } },
      axes: [xAxis, { ...axis(""), label: undefined, labelSize: 0, size: 58, values: (_, ticks) => ticks.map((t) => number(t, 5)) }],
      series: [{}, { label: this.about.heading, stroke: colourOf("accent-probe"), width: this.about.line ? 1.5 : 1, points: { show: false } }],
      hooks: { draw: [(u) => this.draw(u)] },
    }, [spots.map((s) => s.at), spots.map((s) => s.value)], this.place);
  }

  /** Limits, intervals and points: shapes as well as colours tell them apart. */
  draw(u) {
    const pen = u.ctx, dpr = devicePixelRatio || 1;
    const { left, width } = u.bbox, y = (v) => u.valToPos(v, "y", true), x = (v) => u.valToPos(v, "x", true);
    const ink = colourOf("ink-probe"), accent = colourOf("accent-probe"), other = colourOf("other-probe");
    pen.save();
    pen.lineWidth = 1.5 * dpr;
    pen.font = `${11 * dpr}px system-ui`;
    for (const line of this.lines) {
      pen.strokeStyle = pen.fillStyle = line.dash ? other : ink;
      pen.setLineDash((line.dash ?? []).map((d) => d * dpr));
      pen.beginPath();
      pen.moveTo(left, y(line.value));
      pen.lineTo(left + width, y(line.value));
      pen.stroke();
      pen.textAlign = "right";
      pen.fillText(line.words, left + width - 4 * dpr, y(line.value) - 3 * dpr);
    }
    pen.setLineDash([]);
    const few = this.spots.length <= 120;
    this.spots.forEach((spot, at) => {
      const px = x(spot.at), py = y(spot.value), here = at === this.chosen;
      if (!few && !spot.mark && !here) return;
      pen.strokeStyle = pen.fillStyle = spot.mark === "bad" ? other : accent;
      if (spot.low != null && spot.high != null) {
        pen.lineWidth = 1.2 * dpr;
        pen.beginPath();
        pen.moveTo(px, y(spot.low));
        pen.lineTo(px, y(spot.high));
        pen.stroke();
      }
      const r = (here ? 6 : spot.mark === "bad" ? 5 : 3.2) * dpr;
      pen.lineWidth = 2 * dpr;
      pen.beginPath();
      if (spot.mark === "bad") pen.rect(px - r, py - r, 2 * r, 2 * r);
      else pen.arc(px, py, r, 0, 2 * Math.PI);
      if (spot.mark === "open") { pen.fillStyle = colourOf("panel-probe"); pen.fill(); pen.stroke(); } else pen.fill();
      if (here) { pen.strokeStyle = ink; pen.beginPath(); pen.arc(px, py, r + 3 * dpr, 0, 2 * Math.PI); pen.stroke(); }
    });
    pen.restore();
  }

  choose(at) {
    if (at === this.chosen) return;
    this.chosen = at;
    this.plot?.redraw(false);
    this.say();
  }

  say() {
    const spot = this.spots[this.chosen] ?? this.spots[this.spots.length - 1];
    if (!spot) return text(this.reading, "");
    const when = spot.iso ? local(spot.iso, { day: true }) : "time not known";
    text(this.reading, `${this.spots[this.chosen] ? "" : "Last: "}${number(spot.value)} ${this.about.unit}, ${when}; ${spot.words}`);
    attribute(this.reading, "title", spot.iso ? utc(spot.iso) : null);
    attribute(this.place, "title", spot.iso && this.spots[this.chosen] ? utc(spot.iso) : null);
  }

  point(event) {
    if (!this.plot) return;
    const box = this.plot.over.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, near = Infinity;
    this.spots.forEach((spot, at) => {
      const d = Math.hypot(this.plot.valToPos(spot.at, "x") - x, 0.3 * (this.plot.valToPos(spot.value, "y") - y));
      if (d < near) [near, best] = [d, at];
    });
    this.choose(near < 40 ? best : -1);
  }

  key(event) {
    const last = this.spots.length - 1, at = this.chosen < 0 ? last + 1 : this.chosen;
    const to = { ArrowLeft: Math.max(0, at - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last }[event.key];
    if (to !== undefined) this.choose(to);
    else if (event.key === "Enter") this.open();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  open() {
    const go = this.spots[this.chosen]?.go;
    if (go) location.hash = go;
  }

  fill() {
    if (!this.table.open) return void put(this.table, el("summary", {}, "As a table"));
    const heads = ["Time", this.about.unit, "Of"];
    put(this.table, el("summary", {}, "As a table"), el("div", { class: "scroll-x" }, el("table", { class: "list unbroken cards" }, el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, this.spots.map((s) => el("tr", {}, headed(heads, el("td", { title: s.iso ? utc(s.iso) : "" }, s.iso ? local(s.iso, { day: true }) : "–"), el("td", {}, number(s.value, 5), s.low != null && s.high != null ? el("span", { class: "muted" }, ` (${number(s.low)} to ${number(s.high)})`) : ""), el("td", {}, s.go ? el("a", { href: s.go }, s.words) : s.words))))))));
  }

  close() {
    removeEventListener("xrm-theme", this.redraw);
    this.sized.disconnect();
    this.plot?.destroy();
  }
}
