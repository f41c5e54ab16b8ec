// The last frame that was kept: its picture, angle and mean counts.
import { command } from "../copied.js";
import { el, put, text } from "../dom.js";
import { duration, number } from "../format.js";
import { frameCanvas } from "../pictures.js";

export class LastFrame {
  constructor() {
    this.picture = frameCanvas("frame-picture", "Last frame: none yet");
    this.name = el("strong", { class: "says-none" }, "none yet");
    this.facts = el("p", { class: "frame-facts" }, "");
    this.file = el("div", {});
    this.element = el("section", { class: "panel frame", "aria-labelledby": "frame-head" }, el("h2", { id: "frame-head" }, "Last frame"),
      el("div", { class: "frame-body" }, this.picture.canvas, el("div", {}, this.name, this.facts)), this.file);
  }

  update(frame, folder) {
    if (!frame) return;
    if (this.told !== frame.file) put(this.file, command(`${folder}/${frame.file}`));
    this.told = frame.file;
    text(this.name, frame.frame_id);
    text(this.facts, `${frame.kind}${frame.kind === "projection" ? `, θ = ${frame.theta_deg.toFixed(2)}°` : ""}, mean ${number(frame.mean_counts, 4)} counts, at ${duration(frame.t_s)}`);
    this.picture.show(frame.picture, `Frame ${frame.frame_id}`);
  }
}
