// Requests to the server. Reading and acting are apart: an action waits for nothing that is being read.
import { serverDate } from "./format.js";

/** @typedef {{what: string, where?: string|null, value?: string|null, limit?: string|null, remedy?: string|null}} Refusal */

/** What the server refused, or why it was not reached. */
export class RefusedError extends Error {
  /** @param {Refusal} refusal @param {number} status 0: not reached */
  constructor(refusal, status) {
    super(told(refusal));
    this.refusal = refusal;
    this.status = status;
  }
}

/** A refusal in one line: what, where, value against limit, what to do. @param {Refusal} r */
export function told(r) {
  const where = r.where ? `${r.where}: ` : "";
  const value = r.value ? ` (${r.value}${r.limit ? `, limit ${r.limit}` : ""})` : r.limit ? ` (limit ${r.limit})` : "";
  return `${where}${r.what}${value}${r.remedy ? `. ${r.remedy[0].toUpperCase()}${r.remedy.slice(1)}` : ""}`;
}

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

/** A number of our own choice: the same one is not carried out twice. */
export const newRequest = () => random();

/** The id of this tab, the same over reloads. */
export const clientId = (() => {
  try {
    const kept = sessionStorage.getItem("xrm-client");
    if (kept) return kept;
    const made = random();
    sessionStorage.setItem("xrm-client", made);
    return made;
  } catch {
    return random();
  }
})();

/** Path of a run's resource; every part is escaped. */
export const runPath = (run, ...parts) => ["/api/runs", run, ...parts].map((p, i) => (i ? encodeURIComponent(String(p)) : p)).join("/");

/** Address of a picture that a run's answer names: its own, or relative to the run. */
export const pictureAt = (run, name) => (!name || name.startsWith("/") ? name : `${runPath(run)}/${name}`);

const reads = new Set();
const DROPPED = "an action comes first", AGAIN_MS = 1500;

/** Let go of all that is being read at the moment, so that an action finds a free connection; it is read again then. */
export function dropReads() {
  for (const controller of reads) controller.abort(DROPPED);
}

let build = "";

/** What each answer tells of the server: its clock, and which one it is. Emits "xrm-renewed" when it is another one. */
export function heard(response) {
  const ahead = serverDate(response.headers.get("Date"));
  if (Math.abs(ahead) > 60000) dispatchEvent(new CustomEvent("xrm-clock", { detail: ahead }));
  const now = response.headers.get("X-Xrm-Build") ?? "";
  if (build && now && now !== build) dispatchEvent(new Event("xrm-renewed"));
  build = build || now;
}

async function send(path, options, timeoutMs, signal) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DOMException("time is up", "TimeoutError")), timeoutMs);
  const stop = () => controller.abort(signal.reason);
  signal?.addEventListener("abort", stop);
  if (options.method !== "POST") reads.add(controller);
  try {
    const response = await fetch(path, { ...options, signal: controller.signal });
    heard(response);
    if (!response.ok) throw new RefusedError(await refusalOf(response), response.status);
    return { response, body: await (options.bytes ? response.arrayBuffer() : response.json()) };
  } catch (error) {
    if (error instanceof RefusedError || signal?.aborted) throw error;
    if (controller.signal.reason === DROPPED) {
      await new Promise((done) => setTimeout(done, AGAIN_MS));
      if (signal?.aborted) throw signal.reason;
      return send(path, options, timeoutMs, signal);
    }
    const late = controller.signal.aborted;
    throw new RefusedError({
      what: late ? "the server did not answer in time" : "the server was not reached",
      remedy: "the run goes on without it; is `xrm serve` still running?",
    }, 0);
  } finally {
    clearTimeout(timer);
    reads.delete(controller);
    signal?.removeEventListener("abort", stop);
  }
}

async function refusalOf(response) {
  try {
    const body = await response.json();
    if (body && typeof body.what === "string") return body;
    if (body?.detail) return { what: typeof body.detail === "string" ? body.detail : JSON.stringify(body.detail).slice(0, 300) };
  } catch { /* no JSON */ }
  return { what: `the server answered ${response.status} ${response.statusText}` };
}

/** @returns {Promise<any>} */
export async function get(path, { signal, timeoutMs = 20000 } = {}) {
  return (await send(path, {}, timeoutMs, signal)).body;
}

/** Bytes, with the response for its headers. @returns {Promise<{response: Response, body: ArrayBuffer}>} */
export async function getBytes(path, { signal, timeoutMs = 30000 } = {}) {
  return send(path, { bytes: true }, timeoutMs, signal);
}

/** @returns {Promise<any>} */
export async function post(path, body = {}, { signal, timeoutMs = 30000, urgent = false } = {}) {
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Xrm-Client": clientId },
    body: JSON.stringify(body),
    priority: urgent ? "high" : "auto",
    keepalive: urgent,
  };
  return (await send(path, options, timeoutMs, signal)).body;
}
