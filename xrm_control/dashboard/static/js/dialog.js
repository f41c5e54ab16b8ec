// The one dialog of the page: a question with fields, or the help.
import { el, put } from "./dom.js";

const dialog = () => /** @type {HTMLDialogElement} */ (document.getElementById("dialog"));

/** Show content until it is closed. Resolves to the value that `close` was called with, "" otherwise. */
export function show(title, content, buttons) {
  const box = dialog();
  if (box.open) box.close("");
  return new Promise((resolve) => {
    const form = el("form", { method: "dialog", class: "dialog-form" }, el("h2", { id: "dialog-title" }, title), content, el("div", { class: "row end" }, buttons));
    box.setAttribute("aria-labelledby", "dialog-title");
    put(box, form);
    box.returnValue = "";
    box.addEventListener("close", () => resolve(box.returnValue), { once: true });
    box.showModal();
  });
}

/** Ask for a line of text. Resolves to null when it was called off. */
export async function ask(title, words, label, value, confirm) {
  const input = el("input", { type: "text", maxlength: 60, value, required: true, autocomplete: "nickname" });
  const said = await show(title, [el("p", {}, words), el("label", { class: "field" }, label, input)],
    [el("button", { value: "", type: "submit", formnovalidate: true }, "Cancel"), el("button", { class: "primary", value: "yes" }, confirm)]);
  return said === "yes" && input.value.trim() ? input.value.trim() : null;
}

const KEYS = [
  ["?", "this help"], ["g r", "runs"], ["g n", "new run"], ["g m", "the night, in the morning"], ["g q", "the queue"], ["g b", "batch against batch"], ["t", "theme: automatic, light, dark"],
  ["Run page", null],
  ["drag, arrows", "move the mosaic"], ["wheel, pinch, + −", "zoom"], ["0", "all of it"],
  ["b", "draw a box (or Shift and drag, or double-click for one window)"], ["Esc", "leave it"],
  ["p / c", "pause / continue"], ["Shift + A", "abort at once"], ["n / N", "next / previous region"], ["Alt + ↑ ↓", "on a region that waits: scan it earlier, later"],
  ["Slices", null],
  ["← →, wheel", "slice by slice"], ["PageUp PageDown", "ten slices"], ["Home End", "first, last"],
  ["Space", "play"], ["1 2 3", "plane xy, xz, yz"], ["l", "labels"],
  ["Particles", null],
  ["↑ ↓", "row by row"], ["Enter", "its card"], ["/", "search"],
];

/** Keys of all pages. */
export function help() {
  void show("Keys", el("dl", { class: "keys" }, KEYS.map(([key, what]) => (what === null
    ? el("div", { class: "keys-head" }, el("dt", {}, key))
    : el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, what))))),
  [el("button", { value: "", class: "primary" }, "Close")]);
}
