// From stage positions (um, x to the right, y downwards) to pixels of the page, and back.

/** @typedef {{x0: number, y0: number, x1: number, y1: number}} Box in um */

export class View {
  x_um = 0;
  y_um = 0;
  /** pixels a um */ scale = 1;
  width = 1;
  height = 1;
  /** follows what comes, until somebody moves it */ following = true;

  toPx(x_um, y_um) {
    return [(x_um - this.x_um) * this.scale + this.width / 2, (y_um - this.y_um) * this.scale + this.height / 2];
  }

  toUm(x, y) {
    return [(x - this.width / 2) / this.scale + this.x_um, (y - this.height / 2) / this.scale + this.y_um];
  }

  /** Show all of a box. @param {Box} box */
  fit(box, margin = 26) {
    const w = Math.max(1, box.x1 - box.x0), h = Math.max(1, box.y1 - box.y0);
    this.x_um = (box.x0 + box.x1) / 2;
    this.y_um = (box.y0 + box.y1) / 2;
    this.scale = Math.min(Math.max(1, this.width - 2 * margin) / w, Math.max(1, this.height - 2 * margin) / h);
  }

  pan(dx, dy) {
    this.x_um -= dx / this.scale;
    this.y_um -= dy / this.scale;
    this.following = false;
  }

  /** Zoom about a point that stays where it is. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const [ux, uy] = this.toUm(x, y);
    this.scale = Math.min(200, Math.max(0.002, this.scale * factor));
    this.x_um = ux - (x - this.width / 2) / this.scale;
    this.y_um = uy - (y - this.height / 2) / this.scale;
    this.following = false;
  }
}

/** A round length of 1, 2 or 5 that is at most this. */
export function roundLength(wanted) {
  const decade = 10 ** Math.floor(Math.log10(wanted));
  return [5, 2, 1].map((step) => step * decade).find((length) => length <= wanted) ?? decade;
}

/** The box around tiles, mosaic and regions; null when there is nothing yet. @returns {Box | null} */
export function extent(mosaic, regions) {
  const boxes = mosaic.tiles.map(around);
  if (mosaic.width_um > 0) boxes.push({ x0: mosaic.x0_um, y0: mosaic.y0_um, x1: mosaic.x0_um + mosaic.width_um, y1: mosaic.y0_um + mosaic.height_um });
  if (!boxes.length) boxes.push(...regions.map(around));
  if (!boxes.length) return null;
  return boxes.reduce((a, b) => ({ x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0), x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1) }));
}

/**
 * The place nearest to another where a window touches no region and lies on what is mapped; that other one where there
 * is none. @param {Box | null} box @param {any[]} regions @param {{width_um: number, height_um: number}} window
 */
export function freePlace(box, regions, window, from) {
  if (!box) return from;
  const { width_um: w, height_um: h } = window;
  const near = [...regions].sort((a, b) => away(a, from) - away(b, from)).slice(0, 12);
  const along = (low, high, size, at, beside) => {
    const found = [at, ...beside];
    for (let v = low + size / 2; v <= high - size / 2 + 1; v += size / 4) found.push(v);
    return found.map((v) => Math.round(10 * v) / 10).filter((v) => v >= low + size / 2 - 1 && v <= high - size / 2 + 1);
  };
  const xs = along(box.x0, box.x1, w, from.x_um, near.flatMap((r) => [-1, 1].map((s) => r.x_um + s * ((w + r.width_um) / 2 + 0.1))));
  const ys = along(box.y0, box.y1, h, from.y_um, near.flatMap((r) => [-1, 1].map((s) => r.y_um + s * ((h + r.height_um) / 2 + 0.1))));
  const places = xs.flatMap((x_um) => ys.map((y_um) => ({ x_um, y_um }))).sort((a, b) => away(a, from) - away(b, from));
  const free = (p) => regions.every((r) => Math.abs(p.x_um - r.x_um) >= (w + r.width_um) / 2 || Math.abs(p.y_um - r.y_um) >= (h + r.height_um) / 2);
  return places.find(free) ?? from;
}

const away = (a, b) => Math.hypot(a.x_um - b.x_um, a.y_um - b.y_um);

/** The box of something with centre and size. @returns {Box} */
export function around({ x_um, y_um, width_um, height_um }) {
  return { x0: x_um - width_um / 2, y0: y_um - height_um / 2, x1: x_um + width_um / 2, y1: y_um + height_um / 2 };
}
