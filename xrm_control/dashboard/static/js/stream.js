// Server-sent events, read by hand: a browser's EventSource sees no pings, so it cannot tell a quiet run from a stream that hangs.
import { heard, runPath } from "./api.js";

const SILENCE_MS = 40000; // the server pings every 15 s
const BEGIN_MS = 12000; // it has something to say at once: what comes later is held back by somebody in between
const TICK_MS = 5000, ASLEEP_MS = 20000;
const WAITS_MS = [200, 500, 1000, 1500];

/** @typedef {{event: string, id: string, data: string}} Message */

/** A parser of the stream's text: feed it pieces, it calls with whole messages. @param {(m: Message) => void} call */
export function parser(call) {
  let rest = "", event = "", id = "", data = [];
  return (/** @type {string} */ piece) => {
    rest += piece;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length) call({ event: event || "message", id, data: data.join("\n") });
        event = ""; data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "id") id = value;
      else if (field === "data") data.push(value);
    }
  };
}

/** One run's stream that comes back by itself, from the last line that it saw. */
export class Stream {
  /**
   * @param {string} run
   * @param {{after: () => number, message: (m: Message) => void, open: (again: boolean) => void, lost: (why: string) => void}} on
   */
  constructor(run, on) {
    this.run = run;
    this.on = on;
    this.closed = false;
    this.opened = 0;
    this.tries = 0;
    this.wake = () => this.again();
    addEventListener("online", this.wake);
    // A device that slept, or a page that was frozen: its connection may be dead without having been told.
    let before = Date.now();
    this.ticking = setInterval(() => {
      const slept = Math.abs(Date.now() - before) > ASLEEP_MS;
      before = Date.now();
      if (slept) this.again();
    }, TICK_MS);
    this.loop();
  }

  close() {
    this.closed = true;
    removeEventListener("online", this.wake);
    clearInterval(this.ticking);
    this.controller?.abort();
    this.skipWait?.();
  }

  /** Let go of the connection for so long: somebody has need of it. */
  rest(ms) {
    this.resting = ms;
    this.controller?.abort();
  }

  /** Connect anew at once. */
  again() {
    this.tries = 0;
    this.controller?.abort();
    this.skipWait?.();
  }

  async loop() {
    while (!this.closed) {
      let why = "the connection ended";
      try {
        await this.read();
      } catch (error) {
        why = error instanceof Error && error.name === "AbortError" ? "nothing was heard" : error instanceof Error ? error.message : String(error);
      }
      if (this.closed) return;
      if (!this.resting) this.on.lost(why);
      const wait = this.resting || WAITS_MS[Math.min(this.tries++, WAITS_MS.length - 1)] * (0.8 + 0.4 * Math.random());
      this.resting = 0;
      await new Promise((done) => { this.skipWait = () => done(null); setTimeout(done, wait); });
    }
  }

  async read() {
    const controller = (this.controller = new AbortController());
    const after = this.on.after();
    let timer = setTimeout(() => controller.abort(), BEGIN_MS), begun = false;
    try {
      const response = await fetch(`${runPath(this.run, "stream")}?after=${after}`, {
        headers: { Accept: "text/event-stream", "Last-Event-ID": String(after) },
        cache: "no-store",
        signal: controller.signal,
      });
      heard(response);
      if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
      const feed = parser(this.on.message);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => controller.abort(), SILENCE_MS);
        if (!begun) {
          begun = true;
          this.tries = 0;
          this.on.open(this.opened++ > 0);
        }
        feed(value);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
