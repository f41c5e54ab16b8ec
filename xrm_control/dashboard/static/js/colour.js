// Colours that colour-blind people tell apart (Okabe and Ito), and scales of colour for numbers and slices.

/** How a region's state looks on the mosaic: colour, dash pattern, word. */
export const REGION_STYLE = {
  waiting: { colour: "#56b4e9", dash: "6 4", word: "waiting" },
  scanning: { colour: "#e69f00", dash: "", word: "scanning" },
  scanned: { colour: "#f0e442", dash: "", word: "scanned" },
  reconstructing: { colour: "#f0e442", dash: "", word: "reconstructing" },
  analysing: { colour: "#f0e442", dash: "", word: "analysing" },
  reported: { colour: "#2bc79a", dash: "", word: "measured" },
  quarantined: { colour: "#ff7f3f", dash: "2 3", word: "set aside, see its reason" },
  skipped: { colour: "#b8c0c8", dash: "2 5", word: "skipped" },
};

export const regionStyle = (state) => REGION_STYLE[state] ?? { colour: "#b8c0c8", dash: "2 5", word: String(state) };

// Anchors of viridis (matplotlib, CC0), evenly spaced.
const VIRIDIS = ["440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70", "7ad151", "bddf26", "fde725"].map(rgb);

function rgb(hex) {
  const n = parseInt(hex, 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

/** Viridis at 0 to 1, as [r, g, b]. */
export function viridis(share) {
  const at = Math.min(1, Math.max(0, share)) * (VIRIDIS.length - 1);
  const i = Math.min(VIRIDIS.length - 2, Math.floor(at));
  return [0, 1, 2].map((c) => Math.round(VIRIDIS[i][c] + (at - i) * (VIRIDIS[i + 1][c] - VIRIDIS[i][c])));
}

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

/** 256 packed pixels (ABGR, as a little-endian Uint32 sees RGBA). @param {"grey"|"viridis"|"inverse"} name */
export function lookup(name) {
  return Uint32Array.from({ length: 256 }, (_, v) => {
    const [r, g, b] = name === "viridis" ? viridis(v / 255) : name === "inverse" ? [255 - v, 255 - v, 255 - v] : [v, v, v];
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

/** @type {Uint32Array | null} */ let labels = null;

/** Colours of all labels of 16 bits, packed like `lookup`. */
export const labelTable = () => (labels ??= Uint32Array.from({ length: 65536 }, (_, label) => labelColour(label)));

/** Colour of a label: the same one for the same number, neighbours apart. */
function labelColour(label) {
  const hue = (label * 137.508) % 360;
  const f = (n) => { const k = (n + hue / 30) % 12; return Math.round(255 * (0.58 - 0.38 * Math.max(-1, Math.min(k - 3, 9 - k, 1)))); };
  return (255 << 24) | (f(4) << 16) | (f(8) << 8) | f(0);
}
