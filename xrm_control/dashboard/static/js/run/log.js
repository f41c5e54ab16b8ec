// The journal as a log: it follows what comes, unless somebody reads; older lines come when scrolled to.
import { get, runPath } from "../api.js";
import { attribute, coalesced, el, text } from "../dom.js";
import { duration, local, utc } from "../format.js";
import { sayError } from "../said.js";

const KEPT = 500;
const PAGE = 200;
const SIGN = { error: "✕", warning: "▲", info: "·", debug: "·" };
const GRAVE = { debug: 0, info: 1, warning: 2, error: 3 };

export class Log {
  /** @param {string} run */
  constructor(run) {
    this.run = run;
    this.level = "info";
    this.first = Infinity;
    this.last = 0;
    /** @type {any[]} */ this.waiting = [];
    this.end = false;
    this.list = el("ol", { class: "log-lines" });
    this.empty = el("p", { class: "muted says-none" }, "No line yet.");
    this.scroller = el("div", { class: "log", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Log", on: { scroll: () => this.scrolled() } }, this.empty, this.list);
    this.levels = el("select", { on: { change: () => void this.reload() } }, [["info", "all"], ["warning", "warnings and errors"], ["error", "errors"]].map(([v, w]) => el("option", { value: v }, w)));
    this.words = el("input", { type: "search", placeholder: "filter", "aria-label": "Filter lines by text", on: { input: () => this.filter() } });
    this.pill = el("button", { type: "button", class: "pill", hidden: true, on: { click: () => void this.toEnd() } }, "");
    this.element = el("section", { class: "panel log-panel", "aria-labelledby": "log-head" },
      el("div", { class: "panel-head" }, el("h2", { id: "log-head" }, "Log"), el("label", { class: "inline" }, "show ", this.levels), this.words), this.scroller, this.pill);
    this.flush = coalesced(() => this.write());
  }

  get pinned() { return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 30; }

  /** Lines as they come. */
  add(lines) {
    for (const line of lines) {
      if (line.id <= this.last) continue;
      this.last = line.id;
      if (GRAVE[line.level] >= GRAVE[this.level]) this.waiting.push(line);
    }
    this.flush();
  }

  write() {
    if (!this.waiting.length) return;
    const stays = !this.pinned && this.list.children.length > 0;
    if (stays && this.list.children.length > 3 * KEPT) {
      // Somebody reads, and much has come: what is new is fetched when it is wanted.
      this.behind = true;
      this.unseen = (this.unseen ?? 0) + this.waiting.length;
      this.waiting = [];
    } else if (!this.behind) {
      const lines = this.waiting.splice(0);
      this.first = Math.min(this.first, lines[0].id);
      const rows = lines.slice(-KEPT).map((line) => this.row(line));
      if (lines.length > KEPT) { this.list.replaceChildren(); this.first = lines[lines.length - KEPT].id; this.end = false; }
      this.list.append(...rows);
      if (stays) this.unseen = (this.unseen ?? 0) + lines.length;
      else {
        while (this.list.children.length > KEPT) { this.list.firstElementChild.remove(); this.end = false; }
        this.first = this.list.firstElementChild ? Number(this.list.firstElementChild.dataset.id) : Infinity;
        this.scroller.scrollTop = this.scroller.scrollHeight;
      }
    } else { this.unseen += this.waiting.length; this.waiting = []; }
    this.empty.hidden = this.list.children.length > 0;
    this.pilled();
  }

  row(line) {
    const words = this.words.value.toLowerCase();
    return el("li", { class: "line", data: { id: String(line.id), level: line.level }, hidden: words !== "" && !`${line.kind} ${line.text}`.toLowerCase().includes(words) },
      el("time", { datetime: line.utc, title: `${utc(line.utc)}, instrument time ${duration(line.t_s)}` }, line.utc ? local(line.utc) : duration(line.t_s)),
      el("span", { class: "line-level", title: line.level }, el("span", { "aria-hidden": "true" }, SIGN[line.level] ?? "·"), el("span", { class: "sr-only" }, line.level)),
      el("span", { class: "line-kind" }, line.kind), el("span", { class: "line-text" }, line.text));
  }

  pilled() {
    this.pill.hidden = !this.unseen;
    text(this.pill, this.unseen ? `${this.unseen} new ${this.unseen === 1 ? "line" : "lines"} ↓` : "");
  }

  scrolled() {
    if (this.pinned && this.unseen && !this.behind) { this.unseen = 0; this.pilled(); }
    if (this.scroller.scrollTop < 120) void this.older();
  }

  async older() {
    if (this.loading || this.end || !Number.isFinite(this.first) || this.scroller.scrollHeight <= this.scroller.clientHeight) return;
    this.loading = true;
    attribute(this.scroller, "aria-busy", "true");
    try {
      const { lines } = await get(`${runPath(this.run, "lines")}?before=${this.first}&limit=${PAGE}&level=${this.level}`);
      const fresh = lines.filter((line) => line.id < this.first);
      if (!fresh.length) this.end = true;
      else {
        const height = this.scroller.scrollHeight, top = this.scroller.scrollTop;
        this.list.prepend(...fresh.map((line) => this.row(line)));
        this.scroller.scrollTop = top + this.scroller.scrollHeight - height;
        this.first = fresh[0].id;
      }
    } catch { /* tried again with the next scroll */ } finally {
      this.loading = false;
      attribute(this.scroller, "aria-busy", null);
    }
  }

  /** The newest lines of the level chosen. */
  async reload() {
    this.level = this.levels.value;
    try {
      const { lines, last_id } = await get(`${runPath(this.run, "lines")}?limit=${PAGE}&level=${this.level}`);
      const known = Math.max(last_id ?? 0, ...lines.map((line) => line.id));
      const after = this.waiting.filter((line) => line.id > known);
      this.list.replaceChildren(...lines.map((line) => this.row(line)));
      this.first = lines.length ? lines[0].id : Infinity;
      this.last = Math.max(this.last, known);
      this.waiting = after;
      this.behind = false;
      this.unseen = 0;
      this.end = false;
      this.empty.hidden = lines.length > 0;
      this.scroller.scrollTop = this.scroller.scrollHeight;
      this.pilled();
    } catch (error) { sayError(error); }
  }

  async toEnd() {
    if (this.behind) await this.reload();
    this.unseen = 0;
    this.pilled();
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  filter() {
    const words = this.words.value.toLowerCase();
    for (const row of this.list.children) row.hidden = words !== "" && !row.textContent.toLowerCase().includes(words);
  }
}
