// What came of an action, said where it is seen and read aloud; alarms; the banner of a lost connection.
import { el, put, text } from "./dom.js";

const place = () => /** @type {HTMLElement} */ (document.getElementById("said"));

/** Say something for some seconds, or until the note is removed. @param {"good"|"bad"|""} kind */
export function say(words, kind = "", { lasts = false } = {}) {
  const note = el("div", { class: `note ${kind}` }, el("span", {}, words),
    el("button", { class: "quiet", type: "button", "aria-label": "Dismiss", on: { click: () => note.remove() } }, "×"));
  place().append(note);
  while (place().children.length > 4) place().firstElementChild?.remove();
  if (!lasts) setTimeout(() => note.remove(), kind === "bad" ? 20000 : 6000);
  return note;
}

/** An error of an action. */
export const sayError = (error) => say(error instanceof Error ? error.message : String(error), "bad");

/** Read aloud at once. */
export const alertAloud = (words) => text(document.getElementById("alert"), words);

let since = 0;
/** @type {any} */ let timer;

/** The banner: why the connection is lost ("" when it is there), shown when it lasts for more than a moment. */
export function connection(why) {
  const banner = /** @type {HTMLElement} */ (document.getElementById("connection"));
  clearTimeout(timer);
  if (!why) {
    since = 0;
    banner.hidden = true;
    return;
  }
  since ||= Date.now();
  const show = () => {
    banner.hidden = false;
    if (why === "held back") return void put(banner, el("strong", {}, "No live stream. "), "Something between here and the server holds it back, as some proxies do: the run is asked every 3 s instead.");
    put(banner, el("strong", {}, "Connection lost. "), `Trying again (${why}). What is shown may be old; the run itself goes on without this page.`);
  };
  if (Date.now() - since > 700) show();
  else timer = setTimeout(show, 700);
}

/** A panel for when something could not be had, with what to do. */
export function errorPanel(error, again) {
  const status = error?.status;
  return el("section", { class: "empty", role: "alert" },
    el("h2", {}, status === 404 ? (/there is no such/i.test(error.message) ? "Not found" : "This cannot be shown") : status === 401 || status === 403 ? "Not allowed" : "This did not work"),
    el("p", {}, error instanceof Error ? error.message : String(error)),
    el("p", {}, again ? el("button", { type: "button", on: { click: again } }, "Try again") : "", " ", el("a", { href: "#/" }, "All runs")));
}
