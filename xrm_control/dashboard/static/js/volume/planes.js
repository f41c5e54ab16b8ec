// Planes of a volume: bytes from the server, kept while there is room, the neighbours fetched before they are asked for.
import { getBytes, runPath } from "../api.js";

const ROOM_BYTES = 400e6;
// Across the planes of its file a large volume is read as a whole for the first one: from a slow disk that takes a while.
const PATIENCE_MS = 180000;

export class PlaneStore {
  /** @param {string} run @param {string} roi */
  constructor(run, roi) {
    this.run = run;
    this.roi = roi;
    /** @type {Map<string, {rows: number, columns: number, data: Uint8Array | Uint16Array}>} oldest use first */
    this.kept = new Map();
    /** @type {Map<string, Promise<any>>} */ this.asked = new Map();
    this.bytes = 0;
    this.closing = new AbortController();
  }

  /** What is here already. @param {"planes"|"labels"} kind */
  now(kind, plane, index) {
    const key = `${kind}/${plane}/${index}`;
    const found = this.kept.get(key);
    if (found) {
      this.kept.delete(key);
      this.kept.set(key, found);
    }
    return found ?? null;
  }

  /** One plane. @returns {Promise<{rows: number, columns: number, data: Uint8Array | Uint16Array}>} */
  async plane(kind, plane, index) {
    const key = `${kind}/${plane}/${index}`;
    const here = this.now(kind, plane, index);
    if (here) return here;
    let asked = this.asked.get(key);
    if (!asked) {
      asked = this.load(kind, plane, index, key).finally(() => this.asked.delete(key));
      this.asked.set(key, asked);
    }
    return asked;
  }

  async load(kind, plane, index, key) {
    const { response, body } = await getBytes(runPath(this.run, "regions", this.roi, kind, plane, index), { signal: this.closing.signal, timeoutMs: PATIENCE_MS });
    const rows = Number(response.headers.get("X-Rows")), columns = Number(response.headers.get("X-Columns"));
    const data = kind === "labels" ? new Uint16Array(body) : new Uint8Array(body);
    if (data.length !== rows * columns) throw new Error(`plane ${plane} ${index}: ${data.length} pixels instead of ${rows} by ${columns}`);
    const found = { rows, columns, data };
    this.kept.set(key, found);
    this.bytes += data.byteLength;
    for (const [oldest, old] of this.kept) {
      if (this.bytes <= ROOM_BYTES || oldest === key) break;
      this.kept.delete(oldest);
      this.bytes -= old.data.byteLength;
    }
    return found;
  }

  /** Fetch what comes next, nearest first; a new call takes the place of the old one. */
  async ahead(kinds, plane, index, last, direction, reach) {
    const mine = (this.turn = {});
    const wanted = [];
    for (let step = 1; step <= reach; step++) for (const sign of direction < 0 ? [-1, 1] : [1, -1]) wanted.push(index + sign * step);
    const fetchAll = async (lane) => {
      for (let i = lane; i < wanted.length; i += 3) {
        if (this.turn !== mine || this.closing.signal.aborted) return;
        if (wanted[i] < 0 || wanted[i] > last) continue;
        for (const kind of kinds) await this.plane(kind, plane, wanted[i]).catch(() => {});
      }
    };
    await Promise.all([0, 1, 2].map(fetchAll));
  }

  close() {
    this.closing.abort();
    this.kept.clear();
  }
}
