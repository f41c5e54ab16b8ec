// The card of one region: preview, how far it is, what was found, whether it is trusted, what can be done with it.
import { attribute, el, put } from "../dom.js";
import { number, percent, um } from "../format.js";
import { frameCanvas } from "../pictures.js";
import { command } from "../copied.js";
import { regionStyle } from "../colour.js";

const TRUST = { pass: "✓ trusted", doubt: "? in doubt", redo: "↻ to be scanned again", "": "nobody looked yet" };

export class RegionCard {
  /** @param {string} run @param {import("./orders.js").Orders} orders @param {() => void} close */
  constructor(run, orders, close) {
    this.run = run;
    this.orders = orders;
    this.picture = frameCanvas("preview", "Preview: none yet");
    this.body = el("div", {});
    this.skip = el("button", { type: "button", "aria-describedby": "why-skip-card", on: { click: () => { if (!this.skip.hasAttribute("aria-disabled")) void orders.send({ kind: "skip", roi: this.region.name }); } } }, "Skip");
    this.why = el("span", { class: "sr-only", id: "why-skip-card" });
    this.links = el("span", { class: "row" });
    this.head = el("h2", {});
    this.element = el("section", { class: "panel card region-card", "aria-live": "off" },
      el("div", { class: "panel-head" }, this.head, el("button", { type: "button", class: "quiet", "aria-label": "Close", on: { click: close } }, "×")),
      this.picture.canvas, this.body, el("div", { class: "row" }, this.skip, this.why, this.links));
  }

  update(region, folder) {
    if (region.name !== this.region?.name) this.picture.blank();
    this.region = region;
    const style = regionStyle(region.state);
    put(this.head, region.name, " ", el("span", { class: "muted" }, style.word.split(",")[0]));
    this.picture.canvas.hidden = !region.preview;
    // It grows under one address while the region is scanned.
    if (region.preview) this.picture.show(`${region.preview}?v=${region.state}-${region.done}`, `Preview of ${region.name}`);
    const rows = [
      ["Place", `x ${um(region.x_um)}, y ${um(region.y_um)}, z ${um(region.z_um)}`],
      ["Size", `${number(region.width_um, 3)} × ${um(region.height_um, 3)}`],
      ["Frames", `${number(region.done)} of ${number(region.planned)}`],
      ["Particles", region.particles === null ? `about ${number(region.expected_particles)} whole ones expected` : `${number(region.particles)} whole`],
      ["With voids", region.voided === null ? null : el("span", { title: "Count, and the share with each particle weighted as in the results of this region" }, `${number(region.voided)} of ${number(region.particles)}${region.voided_percent === null ? "" : ` (weighted: ${percent(region.voided_percent)})`}`)],
      ["Mean diameter", region.equivalent_diameter_um === null ? null : um(region.equivalent_diameter_um)],
      ["Trust", region.state === "waiting" || region.state === "scanning" ? null : TRUST[region.trust] ?? region.trust],
      ["Doubts", region.doubts.length ? el("ul", {}, region.doubts.map((d) => el("li", {}, d))) : null],
      ["Chosen because", region.why || null],
      ["State because", region.reason || null],
      ["Added by", region.added_by || null],
      ["Raw frames", folder && region.done ? command(`${folder}/frames/${region.name}`) : null],
    ];
    const state = JSON.stringify([region, this.orders.may("skip")]);
    if (state === this.before) return;
    this.before = state;
    put(this.body, el("dl", { class: "facts" }, rows.filter(([, v]) => v !== null).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))));
    const over = ["reported", "quarantined", "skipped"].includes(region.state) || (region.planned > 0 && region.done >= region.planned && region.state !== "waiting");
    const may = over ? { possible: false, reason: `${region.name} is past its scan` } : this.orders.may("skip");
    attribute(this.skip, "aria-disabled", may.possible ? null : "true");
    attribute(this.skip, "title", may.possible ? `Set ${region.name} aside: it is not scanned, or not any further` : may.reason);
    put(this.why, may.possible ? "" : may.reason);
    const to = (part) => `#/run/${encodeURIComponent(this.run)}/${part}`;
    put(this.links, region.volume ? el("a", { class: "button", href: to(`volume/${encodeURIComponent(region.name)}`) }, "Slices") : "",
      region.particles ? el("a", { class: "button", href: `${to("particles")}?roi=${encodeURIComponent(region.name)}` }, "Particles") : "");
  }
}
