// Fingers, mouse and keys on the mosaic: as in any map; Shift or the draw mode makes a box of a drag.

const CLICK_PX = 5;

export class Gestures {
  /**
   * @param {HTMLElement} stage @param {import("./view.js").View} view
   * @param {{moved: () => void, draft: (box: any) => void, box: (box: any) => void, point: (x_um: number, y_um: number) => void,
   *   background: () => void, cursor: (x_um: number | null, y_um?: number) => void}} on
   */
  constructor(stage, view, on) {
    this.stage = stage;
    this.view = view;
    this.on = on;
    this.drawing = false;
    /** @type {Map<number, {x: number, y: number}>} */ this.fingers = new Map();
    /** @type {{x: number, y: number, box: boolean, moved: boolean, empty: boolean} | null} */ this.drag = null;
    stage.addEventListener("pointerdown", (e) => this.down(e));
    stage.addEventListener("pointermove", (e) => this.move(e));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (e) => this.up(/** @type {PointerEvent} */ (e)));
    stage.addEventListener("pointerleave", () => on.cursor(null));
    stage.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    stage.addEventListener("dblclick", (e) => {
      if (e.target instanceof Element && e.target.closest("button")) return;
      on.point(...this.um(e));
    });
    // A drag that began on a region is no click on it.
    stage.addEventListener("click", (e) => { if (this.dragged) { e.stopPropagation(); this.dragged = false; } }, true);
  }

  at(event) {
    const frame = this.stage.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  /** @returns {[number, number]} */
  um(event) {
    const { x, y } = this.at(event);
    return /** @type {[number, number]} */ (this.view.toUm(x, y));
  }

  down(event) {
    if (event.button !== 0 || (event.target instanceof Element && event.target.closest("button, select, label"))) return;
    const point = this.at(event);
    this.fingers.set(event.pointerId, point);
    this.dragged = false;
    const empty = !(event.target instanceof Element && event.target.closest(".region"));
    this.drag = this.fingers.size === 1 ? { ...point, box: event.shiftKey || this.drawing, moved: false, empty } : null;
    if (this.fingers.size > 1) this.on.draft(null);
  }

  move(event) {
    const now = this.at(event);
    this.on.cursor(...this.view.toUm(now.x, now.y));
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    if (this.fingers.size === 2) this.pinch(event.pointerId, before, now);
    else if (this.drag) {
      if (!this.drag.moved && Math.hypot(now.x - this.drag.x, now.y - this.drag.y) < CLICK_PX) return;
      if (!this.drag.moved) {
        this.drag.moved = true;
        try { this.stage.setPointerCapture(event.pointerId); } catch { /* it has been let go of */ }
      }
      if (this.drag.box) this.on.draft(this.boxTo(now));
      else { this.view.pan(now.x - before.x, now.y - before.y); this.on.moved(); }
    }
    this.fingers.set(event.pointerId, now);
  }

  up(event) {
    const was = this.fingers.delete(event.pointerId);
    const drag = this.drag;
    this.drag = null;
    if (!was || !drag) return;
    this.dragged = drag.moved;
    if (event.type === "pointercancel") this.on.draft(null);
    else if (drag.moved && drag.box) this.on.box(this.boxTo(this.at(event), drag));
    else if (!drag.moved && drag.box) this.on.point(...this.um(event));
    else if (!drag.moved && drag.empty) this.on.background();
    if (drag.moved) setTimeout(() => { this.dragged = false; }, 50);
  }

  boxTo(now, from = this.drag) {
    const [ax, ay] = this.view.toUm(from?.x ?? 0, from?.y ?? 0);
    const [bx, by] = this.view.toUm(now.x, now.y);
    return { x_um: (ax + bx) / 2, y_um: (ay + by) / 2, width_um: Math.abs(bx - ax), height_um: Math.abs(by - ay) };
  }

  pinch(id, before, now) {
    const other = [...this.fingers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const size = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
    this.view.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    this.view.zoom(size(now) / size(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    this.on.moved();
  }

  wheel(event) {
    event.preventDefault();
    const { x, y } = this.at(event);
    const lines = event.deltaMode === 1 ? 30 : 1;
    this.view.zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * lines)) / 320), x, y);
    this.on.moved();
  }

  /** @returns {boolean} whether the key meant something */
  key(event) {
    const step = 60;
    const pans = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key in pans) { const [dx, dy] = pans[event.key]; this.view.pan(dx, dy); }
    else if (event.key === "+" || event.key === "=") this.view.zoom(1.4);
    else if (event.key === "-") this.view.zoom(1 / 1.4);
    else return false;
    this.on.moved();
    return true;
  }
}
