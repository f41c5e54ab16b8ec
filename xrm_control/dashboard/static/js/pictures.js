// Pictures, few at a time: connections stay free for actions, however slow the pictures are.

const AT_ONCE = 2;
const TIMEOUT_MS = 20000;
const ROOM_BYTES = 160e6;

/** @type {Map<string, ImageBitmap>} oldest first */
const cache = new Map();
/** @type {Map<string, Promise<ImageBitmap>>} */
const asked = new Map();
/** @type {{url: string, go: () => void, drop: () => void}[]} */
const queue = [];
const flying = new Set();

/** The picture at an address; the newest wish first. Rejects when it does not come. @returns {Promise<ImageBitmap>} */
export function picture(url) {
  const kept = cache.get(url);
  if (kept) return Promise.resolve(kept);
  const waiting = asked.get(url);
  if (waiting) return waiting;
  const promise = new Promise((resolve, reject) => {
    queue.push({
      url,
      go: () => load(url).then(resolve, reject),
      drop: () => reject(new Error("not wanted any more")),
    });
  }).finally(() => asked.delete(url));
  asked.set(url, promise);
  pump();
  return promise;
}

/** The picture if it is here; what is asked for is kept longest. */
export function pictureNow(url) {
  const bitmap = cache.get(url);
  if (bitmap) {
    cache.delete(url);
    cache.set(url, bitmap);
  }
  return bitmap;
}

/** Let go of one picture. */
function forget(url) {
  const bitmap = cache.get(url);
  if (!bitmap) return;
  cache.delete(url);
  bytes -= size(bitmap);
  bitmap.close();
}

const size = (bitmap) => 4 * bitmap.width * bitmap.height;
let bytes = 0;

/** Forget all pictures that are still to come. */
export function dropPictures() {
  for (const wish of queue.splice(0)) wish.drop();
  for (const controller of flying) controller.abort();
}

/** Forget the pictures themselves too. */
export function forgetPictures() {
  dropPictures();
  for (const url of [...cache.keys()]) forget(url);
}

function pump() {
  while (flying.size < AT_ONCE && queue.length) queue.shift()?.go();
}

async function load(url) {
  const controller = new AbortController();
  flying.add(controller);
  const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, { signal: controller.signal, priority: "low" });
    if (!response.ok) throw new Error(`no picture: ${response.status}`);
    const bitmap = await createImageBitmap(await response.blob());
    cache.set(url, bitmap);
    bytes += size(bitmap);
    for (const oldest of [...cache.keys()]) {
      if (bytes <= ROOM_BYTES || oldest === url) break;
      forget(oldest);
    }
    return bitmap;
  } finally {
    clearTimeout(timer);
    flying.delete(controller);
    pump();
  }
}

/** A canvas that shows one picture after the other, the newest wish first; it keeps its size while they change. */
export function frameCanvas(className, label) {
  const canvas = document.createElement("canvas");
  canvas.className = className;
  canvas.width = canvas.height = 1;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  let shown = "", busy = false;
  /** @type {{url: string, name: string} | null} */ let newest = null;

  /** One at a time: frames come faster than pictures on a slow line. */
  async function work() {
    if (busy) return;
    busy = true;
    while (newest) {
      const { url, name } = newest;
      newest = null;
      try {
        const bitmap = await picture(url);
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
        canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
        canvas.setAttribute("aria-label", name);
        forget(url);
      } catch {
        if (shown === url) shown = ""; // asked for again with the next change
      }
    }
    busy = false;
  }

  return {
    canvas,
    /** @param {string} url @param {string} name */
    show(url, name) {
      if (!url || url === shown) return;
      shown = url;
      newest = { url, name };
      void work();
    },
    /** Nothing, until the next picture is there. */
    blank() {
      shown = "";
      canvas.width = canvas.height = 1;
    },
  };
}
