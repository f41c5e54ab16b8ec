// A form half filled in outlives a reload and the way back: in this tab, until it is sent or discarded.
const KEY = "xrm-draft";

/** @param {string} file @param {Map<string, any>} changes */
export function keepDraft(file, changes) {
  try {
    if (changes.size) sessionStorage.setItem(KEY, JSON.stringify({ file, changes: [...changes] }));
    else sessionStorage.removeItem(KEY);
  } catch { /* for this visit only */ }
}

/** @returns {{file: string, changes: Map<string, any>} | null} */
export function keptDraft() {
  try {
    const { file, changes } = JSON.parse(sessionStorage.getItem(KEY) ?? "");
    return { file, changes: new Map(changes) };
  } catch {
    return null;
  }
}
