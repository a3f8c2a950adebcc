/**
 * What a browser's storage gives; nothing where it is forbidden.
 * @template T
 * @param {'localStorage' | 'sessionStorage'} which the latter ends with the tab
 * @param {(storage: Storage) => T} use
 * @returns {T | null}
 */
export function stored(which, use) {
  try {
    return use(globalThis[which]);
  } catch {
    return null;
  }
}
