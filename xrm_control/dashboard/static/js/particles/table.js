// A table of a run, and what is asked of it. Statistics are weighted as the report's are: a large particle is seldom
// whole in the field, so it counts for more (Miles and Lantuejoul), and sizes of which few were scanned count as the mosaic holds them.

import { get, runPath } from "../api.js";

/** @typedef {{name: string, heading: string, unit: string, meaning: string, numeric: boolean}} Column */
/** @typedef {{columns: Column[], rows: any[][], total: number, others: Column[]}} Table */
/** @typedef {{value: number, weight: number}} Weighed */

/** A run's particles; only those columns, where some are named. @param {string} run @param {string[]} [columns] @returns {Promise<Table>} */
export const particlesOf = (run, columns = []) => get(`${runPath(run, "tables", "particles")}?limit=100000${columns.length ? `&columns=${columns.join(",")}` : ""}`, { timeoutMs: 60000 });

/** All columns that the table has, also those that are not here. @param {Table} table */
export const allColumns = (table) => [...table.columns, ...table.others];

/** Where a column is; -1 when there is none. @param {Table} table */
export const columnIndex = (table, name) => table.columns.findIndex((column) => column.name === name);

/** Rows of whole particles. @param {Table} table */
export function wholeRows(table) {
  const cut = columnIndex(table, "touches_boundary");
  return cut < 0 ? table.rows : table.rows.filter((row) => !Number(row[cut]));
}

/** The known numbers of a column with their weights, rising. Cut particles (weight 0) count for nothing unless no row has a weight. @returns {Weighed[]} */
export function weighed(table, rows, at) {
  const inPopulation = columnIndex(table, "population_weight"), w = inPopulation < 0 ? columnIndex(table, "weight") : inPopulation;
  const found = rows.filter((row) => typeof row[at] === "number" && Number.isFinite(row[at])).map((row) => ({ value: row[at], weight: w < 0 ? 1 : Number(row[w]) || 0 }));
  const known = found.some((one) => one.weight > 0) ? found.filter((one) => one.weight > 0) : found.map((one) => ({ ...one, weight: 1 }));
  return known.sort((a, b) => a.value - b.value);
}

/** Weighted mean, and its standard error from the effective number of values. @param {Weighed[]} sample */
export function mean(sample) {
  const sum = (f) => sample.reduce((total, one) => total + f(one), 0);
  const total = sum((o) => o.weight);
  if (!(total > 0)) return { mean: null, error: null };
  const middle = sum((o) => o.weight * o.value) / total;
  const effective = total ** 2 / sum((o) => o.weight ** 2);
  const variance = sum((o) => o.weight * (o.value - middle) ** 2) / total;
  return { mean: middle, error: effective > 1 ? Math.sqrt(variance / (effective - 1)) : null };
}

/**
 * Weighted share of ones among zeros and ones, in per cent, and its standard error, which is not 0 where none or all are
 * ones (Agresti and Coull). @param {Weighed[]} sample
 */
export function shareOf(sample) {
  const total = sample.reduce((sum, one) => sum + one.weight, 0);
  if (!(total > 0)) return { mean: null, error: null };
  const share = sample.reduce((sum, one) => sum + one.weight * one.value, 0) / total;
  const effective = total ** 2 / sample.reduce((sum, one) => sum + one.weight ** 2, 0);
  const shrunk = (share * effective + 2) / (effective + 4);
  return { mean: 100 * share, error: 100 * Math.sqrt((shrunk * (1 - shrunk)) / (effective + 4)) };
}

/** Weighted quantile, interpolated between middles of the weights (Hazen's for equal ones). @param {Weighed[]} sample */
export function quantile(sample, share) {
  const wanted = share * sample.reduce((total, one) => total + one.weight, 0);
  let before = 0, last = null;
  for (const { value, weight } of sample) {
    const middle = before + weight / 2;
    if (middle >= wanted) return last === null ? value : last.value + ((wanted - last.middle) / (middle - last.middle)) * (value - last.value);
    last = { value, middle };
    before += weight;
  }
  return last ? last.value : null;
}

/** Order of two cells: numbers as numbers, text as text, empty ones last whichever way. */
export function compare(a, b, falling) {
  const ea = a === null || a === undefined || a === "", eb = b === null || b === undefined || b === "";
  if (ea || eb) return ea && eb ? 0 : ea ? 1 : -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return falling ? -order : order;
}

/** Sums of weights in equal bins: [edges (n + 1), sums (n)]. @param {Weighed[]} sample rising */
export function histogram(sample, bins, low = sample[0].value, high = sample[sample.length - 1].value) {
  const width = (high - low || 1) / bins;
  const sums = new Array(bins).fill(0);
  for (const { value, weight } of sample) if (value >= low && value <= high) sums[Math.min(bins - 1, Math.floor((value - low) / width))] += weight;
  return [Array.from({ length: bins + 1 }, (_, i) => low + i * width), sums];
}
