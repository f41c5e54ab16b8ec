// Orders to a run: sent once, whatever the connection does, and answered in words. Abort waits for nothing.
import { dropReads, newRequest, post, RefusedError, runPath } from "../api.js";
import { control } from "../control.js";
import { dropPictures } from "../pictures.js";
import { say, sayError } from "../said.js";

const TRIES = 6;

export class Orders {
  /** @param {import("../runstore.js").RunStore} store */
  constructor(store) {
    this.store = store;
  }

  /** What may be done now: as the run says, unless somebody else is in control. */
  may(name) {
    const said = this.store.action(name);
    if (!said.possible) return said;
    const why = name === "abort" || name === "pause" ? (control.now?.role === "viewer" ? control.why : "") : control.why;
    return why ? { name, possible: false, reason: why } : said;
  }

  /** Send an order. @returns {Promise<boolean>} whether it was taken */
  async send(command, { quiet = false } = {}) {
    const urgent = command.kind === "abort";
    let note = null;
    // A run answers when it comes round to it, which may take a while.
    const late = setTimeout(() => { note = say(`${command.kind}: sent, waiting for the run's answer …`, "", { lasts: true }); }, 700);
    if (urgent) { this.store.yieldAll(); dropPictures(); dropReads(); }
    try {
      if (!urgent && command.kind !== "pause") await control.ensure();
      const path = command.kind === "resume" ? "resume" : "commands";
      const request = newRequest();
      const body = command.kind === "resume" ? { request } : { command, request };
      const said = await this.tried(runPath(this.store.name, path), body, urgent);
      if (!quiet) say(said.text, "good");
      return true;
    } catch (error) {
      sayError(error);
      return false;
    } finally {
      clearTimeout(late);
      note?.remove();
      void control.refresh();
      void this.store.refresh(["run"]);
    }
  }

  /** Again under the same number when the server or the run did not answer: it is carried out once. */
  async tried(path, body, urgent) {
    for (let left = TRIES - 1; ; left--) {
      try {
        return await post(path, body, { urgent, timeoutMs: urgent ? 8000 : 30000 });
      } catch (error) {
        const lost = error instanceof RefusedError && (error.status === 0 || error.status === 504);
        if (!lost || left <= 0) throw error;
        await new Promise((done) => setTimeout(done, 500));
      }
    }
  }

  /** What an add would cost. */
  cost(add, signal) {
    return post(runPath(this.store.name, "cost"), add, { signal });
  }
}
