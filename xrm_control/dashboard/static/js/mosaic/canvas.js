// The picture of the mosaic: tiles where they were taken, the stitched one over them, axes and scale bar.
import { picture, pictureNow } from "../pictures.js";
import { around, roundLength } from "./view.js";

const GROUND = "#12171c";
const INK = "#dfe5ea";

/** Draw all of it. @param {CanvasRenderingContext2D} context @param {import("./view.js").View} view */
export function draw(context, view, mosaic, discs, again) {
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = GROUND;
  context.fillRect(0, 0, view.width, view.height);
  const stitched = mosaic.picture ? wanted(mosaic.picture, again) : null;
  // Tiles stay until the stitched picture is here.
  for (const tile of mosaic.tiles) drawTile(context, view, tile, !stitched, mosaic.picture ? null : again);
  if (stitched) {
    const [x, y] = view.toPx(mosaic.x0_um, mosaic.y0_um);
    context.imageSmoothingEnabled = view.scale * (mosaic.width_um / stitched.width) < 2;
    context.drawImage(stitched, x, y, mosaic.width_um * view.scale, mosaic.height_um * view.scale);
    for (const tile of mosaic.tiles) if (tile.outcome === "missing") missing(context, view, tile);
  }
  if (discs) drawDiscs(context, view, discs);
  axes(context, view);
  scaleBar(context, view);
}

function wanted(url, again) {
  const now = pictureNow(url);
  if (!now) picture(url).then(again, () => {});
  return now ?? null;
}

function rectangle(view, thing) {
  const box = around(thing);
  const [x, y] = view.toPx(box.x0, box.y0);
  return [x, y, (box.x1 - box.x0) * view.scale, (box.y1 - box.y0) * view.scale];
}

function drawTile(context, view, tile, fill, again) {
  const [x, y, w, h] = rectangle(view, tile);
  const seen = x < view.width && y < view.height && x + w > 0 && y + h > 0;
  if (fill && tile.picture) {
    // With a stitched picture on its way no more tiles are fetched.
    const bitmap = again ? wanted(small(tile.picture), again) : pictureNow(small(tile.picture));
    if (bitmap && seen) {
      context.imageSmoothingEnabled = w / bitmap.width < 2;
      context.drawImage(bitmap, x, y, w, h);
      return;
    }
  }
  if (!seen) return;
  if (tile.outcome === "missing") missing(context, view, tile);
  else if (fill) {
    context.strokeStyle = tile.outcome === "kept" ? "#6b7784" : "#3a444e";
    context.setLineDash(tile.outcome === "kept" ? [] : [3, 4]);
    context.lineWidth = 1;
    context.strokeRect(Math.round(x) + 0.5, Math.round(y) + 0.5, w - 1, h - 1);
    context.setLineDash([]);
  }
}

/** A tile's picture at the size that a mosaic needs. */
export const small = (url) => (url.includes("?") ? url : `${url}?width=256`);

function missing(context, view, tile) {
  const [x, y, w, h] = rectangle(view, tile);
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.strokeStyle = "#ff7f3f";
  context.lineWidth = 1;
  for (let at = -h; at < w; at += 10) {
    context.beginPath();
    context.moveTo(x + at, y + h);
    context.lineTo(x + at + h, y);
    context.stroke();
  }
  context.strokeRect(x + 1, y + 1, w - 2, h - 2);
  context.restore();
}

function drawDiscs(context, view, discs) {
  context.lineWidth = 1.5;
  for (const disc of discs) {
    const [x, y] = view.toPx(disc.x_um, disc.y_um);
    const r = Math.max(2, (disc.diameter_um / 2) * view.scale);
    if (x + r < 0 || y + r < 0 || x - r > view.width || y - r > view.height) continue;
    context.strokeStyle = disc.colour;
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.stroke();
  }
}

function axes(context, view) {
  const step = roundLength(130 / view.scale);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = INK;
  context.strokeStyle = "rgba(0 0 0 / 0.75)";
  context.lineWidth = 3;
  context.lineJoin = "round";
  const [left, top] = view.toUm(0, 0);
  const [right, bottom] = view.toUm(view.width, view.height);
  const label = (words, x, y) => { context.strokeText(words, x, y); context.fillText(words, x, y); };
  context.textAlign = "center";
  context.textBaseline = "top";
  for (let i = Math.ceil(left / step); i * step <= right; i++) {
    const [x] = view.toPx(i * step, 0);
    context.fillRect(Math.round(x), 0, 1, 4);
    if (x > 84 && x < view.width - 24) label(tidy(i * step), x, 6);
  }
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (let i = Math.ceil(top / step); i * step <= bottom; i++) {
    const [, y] = view.toPx(0, i * step);
    context.fillRect(0, Math.round(y), 4, 1);
    if (y > 24 && y < view.height - 14) label(tidy(i * step), 7, y);
  }
  context.textBaseline = "top";
  label("x, y (µm)", 7, 6);
}

const tidy = (value) => String(Number(value.toPrecision(6)));

function scaleBar(context, view) {
  const length = roundLength(Math.min(160, view.width / 4) / view.scale);
  const w = length * view.scale, x = view.width - 16 - w, y = view.height - 18;
  context.fillStyle = "black";
  context.fillRect(x - 2, y - 2, w + 4, 8);
  context.fillStyle = "white";
  context.fillRect(x, y, w, 4);
  context.strokeStyle = "rgba(0 0 0 / 0.75)";
  context.textAlign = "center";
  context.textBaseline = "bottom";
  const words = length >= 1000 ? `${tidy(length / 1000)} mm` : `${tidy(length)} µm`;
  context.strokeText(words, x + w / 2, y - 4);
  context.fillText(words, x + w / 2, y - 4);
}
