// Numbers and times as people read them; every number with its unit.

let aheadMs = 0;

/** The server's clock, in ms: of a device whose own is wrong only the zone counts. */
export const now = () => Date.now() + aheadMs;

/** Learn the server's clock from the date of an answer, to the second. @returns {number} how far it is ahead, in ms */
export function serverDate(date) {
  const at = Date.parse(date ?? "");
  if (Number.isNaN(at)) return aheadMs;
  const ahead = at - Date.now();
  aheadMs = Math.abs(ahead) > 5000 ? ahead : 0;
  return aheadMs;
}

const THIN = " ";

/** A number with so many significant digits; "–" where it is not known. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return grouped(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(Math.max(0, digits - 1)).replace("e+", "e");
  const places = Math.max(0, Math.min(6, digits - 1 - Math.floor(Math.log10(size))));
  return String(Number(value.toFixed(places)));
}

function grouped(value) {
  const digits = String(Math.abs(value));
  if (digits.length < 5) return String(value);
  return (value < 0 ? "-" : "") + digits.replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** Length in um. */
export const um = (value, digits = 4) => (value === null || value === undefined ? "–" : `${number(value, digits)} µm`);

export const percent = (value, digits = 3) => (value === null || value === undefined ? "–" : `${number(value, digits)} %`);

/** A duration in s as 4 s, 2 min 5 s, 12 min, 3 h 20 min, 2 d 4 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Bytes as MB, GB, TB. */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  for (const [unit, size] of /** @type {const} */ ([["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]))
    if (value >= size) return `${number(value / size, 3)} ${unit}`;
  return `${value} B`;
}

/** Dose in Gy, kGy, MGy. */
export function dose(gray) {
  if (gray === null || gray === undefined) return "–";
  for (const [unit, size] of /** @type {const} */ ([["GGy", 1e9], ["MGy", 1e6], ["kGy", 1e3]]))
    if (gray >= size) return `${number(gray / size, 3)} ${unit}`;
  return `${number(gray, 3)} Gy`;
}

const two = (n) => String(n).padStart(2, "0");

/** Local clock time of an ISO 8601 time; with its date where `day`. */
export function local(iso, { day = false, seconds = true } = {}) {
  const at = moment(iso);
  if (!at) return "–";
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ""}`;
  return day ? `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}` : clock;
}

/** The same time in UTC, for the tooltip. */
export function utc(iso) {
  const at = moment(iso);
  return at ? `${at.toISOString().slice(0, 19).replace("T", " ")} UTC` : "time not known";
}

/** Local time from now in so many seconds, to the minute. */
export function clockIn(seconds) {
  const at = new Date(now() + seconds * 1000);
  const today = at.toDateString() === new Date(now()).toDateString();
  return local(at.toISOString(), { day: !today, seconds: false });
}

function moment(iso) {
  if (!iso) return null;
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** Words for a state of a run or region. */
export const worded = (state) => (state ? String(state).replaceAll("_", " ") : "not begun");
