// Pictures, few at a time: connections stay free for actions, however slow the pictures are.

const AT_ONCE = 2;
const TIMEOUT_MS = 20000;
const KEPT = 600;

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

/** The picture if it is here. */
export const pictureNow = (url) => cache.get(url);

/** Forget all pictures that are still to come. */
export function dropPictures() {
  for (const wish of queue.splice(0)) wish.drop();
  for (const controller of flying) controller.abort();
}

/** Forget the pictures themselves too. */
export function forgetPictures() {
  dropPictures();
  for (const bitmap of cache.values()) bitmap.close();
  cache.clear();
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
    while (cache.size > KEPT) {
      const [oldest, old] = cache.entries().next().value;
      cache.delete(oldest);
      old.close();
    }
    return bitmap;
  } finally {
    clearTimeout(timer);
    flying.delete(controller);
    pump();
  }
}

/** A canvas that shows a picture, fitted; it keeps its size while pictures change. */
export function frameCanvas(className, label) {
  const canvas = document.createElement("canvas");
  canvas.className = className;
  canvas.width = canvas.height = 1;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  let wanted = "";
  return {
    canvas,
    /** @param {string} url @param {string} name @returns {Promise<boolean>} whether it came */
    async show(url, name) {
      canvas.setAttribute("aria-label", name);
      if (url === wanted) return true;
      wanted = url;
      if (!url) { canvas.width = canvas.height = 1; return false; }
      try {
        const bitmap = await picture(url);
        if (wanted !== url) return true;
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
        canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
        return true;
      } catch {
        if (wanted === url) wanted = "";
        return false;
      }
    },
  };
}
