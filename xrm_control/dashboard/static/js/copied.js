// A command to copy: its text, and a button that puts it on the clipboard where the browser lets it.
import { el } from "./dom.js";
import { say } from "./said.js";

export function command(words) {
  const code = el("code", {}, words);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(words);
      say("Copied.", "good");
    } catch {
      // Not over plain http from another machine: it is marked, so that the keys for copying do it.
      getSelection()?.selectAllChildren(code);
      say("Marked: copy it with the keyboard.");
    }
  };
  return el("div", { class: "command" }, code, el("button", { type: "button", class: "quiet small", "aria-label": `Copy: ${words}`, on: { click: () => void copy() } }, "Copy"));
}
