// Times within words of the server, as the clock here shows them.
import { el } from "./dom.js";
import { local, utc } from "./format.js";

/** Words with the times in them as the clock here shows them; UTC on hover. @param {string} words */
export function timed(words) {
  return words.split(/(\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(?:Z|[+-]\d\d:\d\d))/).map((part, i) => (i % 2 ? el("time", { datetime: part, title: utc(part) }, local(part, { day: true })) : part));
}
