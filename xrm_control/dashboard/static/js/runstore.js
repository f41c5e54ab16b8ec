// What is known of one run: fetched once, then kept up by its stream; hidden tabs let go of the stream and catch up.
import { get, pictureAt, runPath } from "./api.js";
import { Stream } from "./stream.js";

// A browser has six connections to a server for all its tabs: who is not looked at needs none.
const HIDDEN_MS = 5000;
const HIDDEN_LOOK_MS = 20000;
const YIELD_MS = 2500;
// Without a stream, as where a proxy holds it back, the run is asked again and again.
const ASK_MS = 3000, ASKED_IN_VAIN = 4;

/** Emits "run", "mosaic", "regions", "lines" (detail: new lines), "connection" (detail: "" or why lost). */
export class RunStore extends EventTarget {
  /** @param {string} name */
  constructor(name) {
    super();
    this.name = name;
    this.run = null;
    this.mosaic = { tiles: [], picture: "" };
    this.regions = [];
    this.lastId = 0;
    /** @type {any[]} the newest lines, in order; older ones are fetched by who wants them */
    this.lines = [];
    this.closing = new AbortController();
    // An abort in any tab: all let go of their streams, so that it finds a connection.
    this.channel = new BroadcastChannel("xrm-yield");
    this.channel.addEventListener("message", () => this.stream?.rest(YIELD_MS));
    this.onVisibility = () => this.visibility();
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  /** The first answer; throws RefusedError when there is no such run. */
  async open() {
    const options = { signal: this.closing.signal };
    const further = this.refresh(["mosaic", "regions"]);
    const [run, lines] = await Promise.all([get(runPath(this.name), options), get(`${runPath(this.name, "lines")}?limit=200`, options)]);
    this.take("run", run);
    this.lines = lines.lines;
    this.lastId = lines.lines.length ? lines.lines[lines.lines.length - 1].id : lines.last_id;
    this.tell("lines", lines.lines);
    await further;
    if (!this.closing.signal.aborted) this.connect();
  }

  /** Fetch parts anew; what fails is tried again with the next connection. */
  async refresh(parts = ["run", "mosaic", "regions"]) {
    await Promise.all(parts.map(async (part) => {
      try {
        this.take(part, await get(part === "run" ? runPath(this.name) : runPath(this.name, part), { signal: this.closing.signal }));
      } catch { /* the banner tells of a lost connection */ }
    }));
  }

  connect() {
    this.stream?.close();
    this.stream = new Stream(this.name, {
      after: () => this.lastId,
      message: (message) => this.hear(message),
      open: (again) => { this.stopAsking(); this.tell("connection", ""); if (again) void this.refresh(); },
      lost: (why) => { this.lost(why); },
    });
  }

  lost(why) {
    // That it is asked meanwhile is told as long as it is so.
    if (!(this.asked > ASKED_IN_VAIN)) this.tell("connection", why);
    if (this.asking || this.asleep) return;
    this.asked = 0;
    this.asking = setInterval(() => void this.ask(), ASK_MS);
  }

  stopAsking() {
    clearInterval(this.asking);
    this.asking = undefined;
    this.asked = 0;
  }

  /** What the stream would have told. */
  async ask() {
    if (this.under) return;
    this.under = true;
    try {
      const { lines } = await get(`${runPath(this.name, "lines")}?after=${this.lastId}&limit=500`, { signal: this.closing.signal });
      if (!this.asking) return;
      for (const line of lines) this.add(line);
      await this.refresh();
      if (this.asking && ++this.asked > ASKED_IN_VAIN) this.tell("connection", "held back");
    } catch {
      this.asked = 0;
    } finally { this.under = false; }
  }

  hear({ event, data }) {
    let content;
    try { content = JSON.parse(data); } catch { return; }
    if (event === "line") this.add(content);
    else this.take(event, content);
  }

  /** A line counts once, whatever the stream sends again. */
  add(line) {
    if (!(line.id > this.lastId)) return;
    this.lastId = line.id;
    this.lines.push(line);
    if (this.lines.length > 400) this.lines.splice(0, this.lines.length - 200);
    this.tell("lines", [line]);
  }

  take(part, content) {
    const at = (name) => pictureAt(this.name, name);
    if (this.troubled && part === "run") { this.troubled = false; this.tell("connection", ""); }
    if (part === "run") this.run = { ...content, last_frame: content.last_frame && { ...content.last_frame, picture: at(content.last_frame.picture) } };
    else if (part === "mosaic") this.mosaic = { ...content, picture: at(content.picture), tiles: content.tiles.map((tile) => ({ ...tile, picture: at(tile.picture) })) };
    else if (part === "regions") this.regions = content.regions.map((region) => ({ ...region, preview: at(region.preview) }));
    else if (part === "trouble") { this.troubled = true; return this.tell("connection", content.what); }
    else return;
    this.tell(part);
  }

  tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  action(name) {
    return this.run?.actions.find((a) => a.name === name) ?? { name, possible: false, reason: this.run ? "the run does not know it" : "the run is not known yet" };
  }

  /** Free the connections of all tabs for a moment. */
  yieldAll() {
    this.stream?.rest(YIELD_MS);
    this.channel.postMessage("");
  }

  visibility() {
    clearInterval(this.looking);
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hidden = Date.now();
      this.hiding = setTimeout(() => { this.stream?.close(); this.stopAsking(); this.asleep = true; this.looking = setInterval(() => void this.refresh(["run"]), HIDDEN_LOOK_MS); }, HIDDEN_MS);
    } else if (this.asleep || Date.now() - (this.hidden ?? Date.now()) > HIDDEN_MS) this.wake();
  }

  /** Whatever became of the connection while nobody looked. */
  wake() {
    if (document.hidden) return;
    this.asleep = false;
    void this.refresh();
    this.connect();
  }

  close() {
    this.closing.abort();
    clearTimeout(this.hiding);
    clearInterval(this.looking);
    this.stopAsking();
    this.channel.close();
    this.stream?.close();
    document.removeEventListener("visibilitychange", this.onVisibility);
  }
}
