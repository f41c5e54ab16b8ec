// A table of a run, and what is asked of it.

/** @typedef {{columns: {name: string, heading: string, unit: string, meaning: string}[], rows: any[][], total: number}} Table */

/** Where a column is; -1 when there is none. @param {Table} table */
export const columnIndex = (table, name) => table.columns.findIndex((column) => column.name === name);

/** The finite numbers of a column, whole particles alone where the table says which are cut. @param {Table} table */
export function values(table, name, { whole = true } = {}) {
  const at = columnIndex(table, name), cut = columnIndex(table, "touches_boundary");
  if (at < 0) return [];
  return table.rows.filter((row) => !whole || cut < 0 || !Number(row[cut])).map((row) => row[at]).filter((v) => typeof v === "number" && Number.isFinite(v));
}

/** Order of two cells: numbers as numbers, text as text, empty ones last whichever way. */
export function compare(a, b, falling) {
  const ea = a === null || a === undefined || a === "", eb = b === null || b === undefined || b === "";
  if (ea || eb) return ea && eb ? 0 : ea ? 1 : -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return falling ? -order : order;
}

/** Counts in equal bins: [edges (n + 1), counts (n)]. */
export function histogram(numbers, bins, low = numbers.reduce((a, b) => Math.min(a, b), Infinity), high = numbers.reduce((a, b) => Math.max(a, b), -Infinity)) {
  const width = (high - low || 1) / bins;
  const counts = new Array(bins).fill(0);
  for (const v of numbers) if (v >= low && v <= high) counts[Math.min(bins - 1, Math.floor((v - low) / width))]++;
  return [Array.from({ length: bins + 1 }, (_, i) => low + i * width), counts];
}

/** Quantile of sorted numbers. */
export function quantile(sorted, share) {
  if (!sorted.length) return null;
  const at = share * (sorted.length - 1), i = Math.floor(at);
  return sorted[i] + (at - i) * ((sorted[i + 1] ?? sorted[i]) - sorted[i]);
}
