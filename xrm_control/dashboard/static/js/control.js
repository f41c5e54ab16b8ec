// Who is in control: shown in the head of the page; taken explicitly from somebody, silently from nobody.
import { clientId, get, post } from "./api.js";
import { ask } from "./dialog.js";
import { el, put } from "./dom.js";
import { say, sayError } from "./said.js";
import { now as clock, utc, local } from "./format.js";

const AWAY_MIN = 2;
const HELD = "xrm-held";

/** Emits "change". */
class ControlState extends EventTarget {
  /** @type {{holder: string, since_utc: string|null, seen_utc?: string|null, you: boolean, role: string, local: boolean} | null} */
  now = null;

  async refresh() {
    try { this.take(await get(`/api/control?client=${encodeURIComponent(clientId)}`, { timeoutMs: 8000 })); } catch { /* shown as not known */ }
  }

  take(control) {
    const told = (one) => JSON.stringify({ ...one, seen_utc: null });
    const changed = !this.now || told(control) !== told(this.now);
    held(control.you ? control.holder : "");
    this.now = control;
    if (changed) this.dispatchEvent(new Event("change"));
  }

  /** Why this page may not act, "" when it may (control is then taken with the action). */
  get why() {
    if (!this.now) return "";
    if (this.now.role === "viewer") return "You are a viewer: looking only";
    if (this.now.holder && !this.now.you) return `${this.now.holder} is in control: take over first`;
    return "";
  }

  /** Before an action: take what nobody has. Throws RefusedError. */
  async ensure() {
    if (this.now?.you || this.now?.holder || this.now?.role === "viewer") return;
    // Somebody in another tab may have been quicker: it is taken from them on purpose alone.
    try {
      this.take(await post("/api/control/take", { name: myName() || "operator", free: true }));
    } catch (error) {
      void this.refresh();
      throw error;
    }
  }
}

export const control = new ControlState();

function myName() {
  try { return localStorage.getItem("xrm-name") ?? ""; } catch { return ""; }
}

/** Whose page this is while it is in control, over a reload: who closes it leaves control, who reloads it has it again. */
function held(name) {
  try {
    if (name) sessionStorage.setItem(HELD, name);
    else sessionStorage.removeItem(HELD);
  } catch { /* it is taken with the next action */ }
}

function leave() {
  if (!control.now?.you) return;
  void fetch("/api/control/release", { method: "POST", headers: { "Content-Type": "application/json", "X-Xrm-Client": clientId }, body: "{}", keepalive: true }).catch(() => {});
}

async function comeBack() {
  let name = null;
  try { name = sessionStorage.getItem(HELD); } catch { /* as above */ }
  if (name) {
    // Where somebody else has it by now, they keep it.
    try { return control.take(await post("/api/control/take", { name, free: true })); } catch { held(""); }
  }
  await control.refresh();
}

async function takeOver() {
  const holder = control.now?.holder;
  const name = await ask("Take control", holder && !control.now?.you ? `${holder} is in control now, and will see that you took over.` : "Others see this name.", "Your name", myName(), holder && !control.now?.you ? "Take over" : "Take control");
  if (!name) return;
  try { localStorage.setItem("xrm-name", name); } catch { /* asked again next time */ }
  try {
    control.take(await post("/api/control/take", { name }));
    say("You are in control.", "good");
  } catch (error) { sayError(error); }
}

async function release() {
  held("");
  try { control.take(await post("/api/control/release")); } catch (error) { sayError(error); }
}

/** Of whom no page was open for a while: nobody waits for them in vain. */
function away(now) {
  const minutes = now.seen_utc ? (clock() - Date.parse(now.seen_utc)) / 60000 : 0;
  return minutes >= AWAY_MIN ? `, not seen since ${local(now.seen_utc, { seconds: false, day: minutes > 720 })}` : "";
}

/** Show it in its place, and keep it up. */
export function mountControl(place) {
  let drawn = "";
  const draw = () => {
    const now = control.now;
    if (!now) return void put(place, el("span", { class: "muted" }, "control: not known"));
    const who = now.you ? `In control: ${now.holder || "you"} (you)` : now.holder ? `In control: ${now.holder}${away(now)}` : "Nobody in control";
    const button = now.role === "viewer" ? el("span", { class: "chip" }, "viewer")
      : now.you ? el("button", { class: "quiet", type: "button", on: { click: release } }, "Release")
        : el("button", { class: "quiet", type: "button", on: { click: takeOver } }, now.holder ? "Take over" : "Take control");
    // What has the focus keeps it.
    if (who === drawn) return;
    drawn = who;
    put(place, el("span", { class: now.you ? "who you" : "who", title: now.since_utc ? `since ${local(now.since_utc)} (${utc(now.since_utc)})` : "" }, who), button);
  };
  control.addEventListener("change", draw);
  draw();
  void comeBack();
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => { if (event.persisted) void comeBack(); });
  setInterval(() => { if (!document.hidden) void control.refresh().then(draw); }, 10000);
}
