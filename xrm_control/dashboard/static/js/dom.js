// Elements. Text comes in as text nodes alone, so that nothing from a server is ever read as markup.

/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Properties: `class`, `on` (event -> listener), `data` (dataset), else attributes; true and false are set
 * and left out, null is left out.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same in SVG. @returns {any} */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.setAttribute("class", value);
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") node[name] = value;
    else if (/^on/i.test(name) || name === "style") throw new Error(`${name} is not for attributes`);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

/** Set the text, only where it differs: what is read aloud is not read twice. */
export function text(node, value) {
  const wanted = String(value ?? "");
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Set or take away an attribute, only where it differs. */
export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else {
    const wanted = value === true ? "" : String(value);
    if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
  }
}

/** Replace all children. */
export function put(node, ...children) {
  node.replaceChildren(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

/**
 * Children of a parent kept in step with a list of things: one node for each key, made once, updated, in order.
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} things
 * @param {(thing: T) => string} key
 * @param {(thing: T) => any} make
 * @param {(node: any, thing: T) => void} update
 */
export function keyed(parent, things, key, make, update) {
  const old = new Map([...parent.children].map((node) => [/** @type {any} */ (node).xrmKey, node]));
  let at = parent.firstElementChild;
  for (const thing of things) {
    const name = key(thing);
    let node = /** @type {any} */ (old.get(name));
    old.delete(name);
    if (!node) {
      node = make(thing);
      node.xrmKey = name;
    }
    update(node, thing);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const node of old.values()) node.remove();
}

/** Cells of a row with the heads of their columns, which a narrow screen shows beside them. */
export function headed(heads, ...cells) {
  const all = cells.flat();
  all.forEach((cell, i) => attribute(cell, "data-head", heads[i] || null));
  return all;
}

const HELD = "a[href], button, input, select, summary, [tabindex]";
const known = (node) => [node.tagName, node.getAttribute("aria-label") ?? node.textContent, node.closest("[data-key]")?.dataset.key].join("|");

// What a pointer is down on; a drag has an end of its own.
/** @type {Node | null} */ let pressed = null;
addEventListener("pointerdown", (event) => { pressed = event.target instanceof Node ? event.target : null; }, true);
for (const end of ["pointerup", "pointercancel", "dragend"]) addEventListener(end, () => { pressed = null; }, true);

/**
 * Children anew, for what is looked at again and again: who is about to click is not disturbed (false: nothing was done,
 * the next time will do); what had the focus has it again, and what was folded out stays so. Things that are told apart
 * have a `data-key`.
 */
export function rebuild(node, ...children) {
  if (pressed && node.contains(pressed)) return false;
  const active = document.activeElement;
  const focused = active && active !== node && node.contains(active) ? known(active) : null;
  const open = new Set([...node.querySelectorAll("details[open] > summary")].map(known));
  put(node, ...children);
  for (const summary of node.querySelectorAll("details > summary")) if (open.has(known(summary))) summary.parentElement.open = true;
  if (focused !== null) [...node.querySelectorAll(HELD)].find((one) => known(one) === focused)?.focus({ preventScroll: true });
  return true;
}

/** Whether keys go into a field at the moment. */
export function typing(event) {
  const target = event.target;
  return target instanceof Element && target.closest("input, select, textarea, dialog[open]") !== null;
}

/** One call in the next frame for many in this one. */
export function coalesced(call) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = () => { if (waiting) { waiting = false; call(); } };
    requestAnimationFrame(run);
    if (document.hidden) setTimeout(run, 200);
  };
}
