// The frame around the pages: which one the address names, theme, help, keys for all of them.
import { control, mountControl } from "./control.js";
import { help } from "./dialog.js";
import { attribute, el, put, text, typing } from "./dom.js";
import { connection, errorPanel, say } from "./said.js";
import { get } from "./api.js";

/** @typedef {{close: () => void, key?: (event: KeyboardEvent) => boolean}} Page */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const where = /** @type {HTMLElement} */ (document.getElementById("where"));
/** @type {Page | null} */ let page = null;
let visit = 0;

/** Routes: what the address after # may be, and who draws it. */
const ROUTES = [
  { match: /^\/$/, name: "runs", load: () => import("./runs.js") },
  { match: /^\/run\/([^/]+)$/, name: "run", load: () => import("./run/page.js") },
  { match: /^\/run\/([^/]+)\/volume\/([^/]+)$/, name: "volume", load: () => import("./volume/page.js") },
  { match: /^\/run\/([^/]+)\/particles$/, name: "particles", load: () => import("./particles/page.js") },
  { match: /^\/run\/([^/]+)\/again$/, name: "again", load: () => import("./again.js") },
  { match: /^\/compare\/([^/]+)\/([^/]+)$/, name: "compare", load: () => import("./compare.js") },
  { match: /^\/night(?:\/([\d-]+))?$/, name: "night", load: () => import("./night.js") },
  { match: /^\/run\/([^/]+)\/trends$/, name: "trends", load: () => import("./trends.js") },
  { match: /^\/batches$/, name: "batches", load: () => import("./chart.js") },
  { match: /^\/queue$/, name: "queue", load: () => import("./queue.js") },
  { match: /^\/launch$/, name: "launch", load: () => import("./launch.js") },
];

async function go() {
  const [path, query = ""] = (location.hash.slice(1) || "/").split("?");
  const mine = ++visit;
  page?.close();
  page = null;
  connection("");
  put(where);
  main.className = "";
  put(main, el("p", { class: "loading" }, "Loading …"));
  const route = ROUTES.find((r) => r.match.test(path));
  for (const link of document.querySelectorAll(".nav a")) attribute(link, "aria-current", /** @type {any} */ (link).dataset.page === route?.name ? "page" : null);
  if (!route) {
    put(main, errorPanel(Object.assign(new Error("There is no such page."), { status: 404 })));
    return;
  }
  try {
    const parts = (path.match(route.match) ?? []).slice(1).map((part) => (part === undefined ? part : decodeURIComponent(part)));
    const module = await route.load();
    if (mine !== visit) return;
    main.className = `page-${route.name}`;
    const opened = await module.open(main, parts, { title, query: new URLSearchParams(query) });
    if (mine !== visit) opened.close();
    else page = opened;
  } catch (error) {
    if (mine === visit) put(main, errorPanel(error, go));
  }
}

/** The page's name in the head and in the tab. @param {...any} words */
function title(words, ...more) {
  put(where, words, ...more);
  document.title = `${where.textContent} · xrm`;
}

const THEMES = ["auto", "light", "dark"];
const themeButton = /** @type {HTMLElement} */ (document.getElementById("theme"));

function theme(step) {
  const root = document.documentElement;
  const now = root.dataset.theme ?? "auto";
  const next = THEMES[(THEMES.indexOf(now) + step) % THEMES.length];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  try { localStorage.setItem("xrm-theme", next); } catch { /* for this visit only */ }
  text(themeButton, `◐ ${next}`);
  attribute(themeButton, "aria-label", `Theme: ${next}`);
  attribute(themeButton, "title", "Theme: automatic, light or dark (t)");
  dispatchEvent(new Event("xrm-theme"));
}

const PLACES = { r: "#/", n: "#/launch", m: "#/night", b: "#/batches", q: "#/queue" };
let went = false;
function keys(event) {
  if (typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (page?.key?.(event)) { event.preventDefault(); return; }
  if (went && PLACES[event.key]) location.hash = PLACES[event.key];
  else if (event.key === "?") help();
  else if (event.key === "t") theme(1);
  went = event.key === "g";
}

/** Another version of the server: parts of this page that are loaded later would be of that one. */
function renewed() {
  const place = /** @type {HTMLElement} */ (document.getElementById("renewed"));
  if (!place.hidden) return;
  place.hidden = false;
  put(place, el("strong", {}, "The server was renewed. "), "This page is of the version before. ", el("button", { type: "button", on: { click: () => location.reload() } }, "Reload"));
}

/** A cold page with one run alive opens it. */
async function start() {
  if (!location.hash) {
    try {
      const { runs } = await get("/api/runs?limit=10", { timeoutMs: 15000 });
      const alive = runs.filter((run) => run.alive);
      if (alive.length === 1) history.replaceState(null, "", `#/run/${encodeURIComponent(alive[0].name)}`);
    } catch { /* the list of runs tells it */ }
  }
  await go();
}

theme(0);
themeButton.addEventListener("click", () => theme(1));
document.getElementById("help")?.addEventListener("click", help);
addEventListener("keydown", keys);
addEventListener("hashchange", go);
mountControl(/** @type {HTMLElement} */ (document.getElementById("control")));
addEventListener("visibilitychange", () => { if (!document.hidden) void control.refresh(); });
// A page that comes back: looked at again, thawed, or by the button that leads back.
const wake = () => { void control.refresh(); page?.wake?.(); };
addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
document.addEventListener("resume", wake);
document.addEventListener("visibilitychange", () => { if (!document.hidden && page && !page.store) page.wake?.(); });
addEventListener("xrm-renewed", renewed);
addEventListener("xrm-clock", (event) => {
  const min = Math.round(/** @type {CustomEvent} */ (event).detail / 60000);
  say(`The clock of this device is ${Math.abs(min)} min ${min > 0 ? "slow" : "fast"} beside the server's: times here are the server's.`);
}, { once: true });
void start();
