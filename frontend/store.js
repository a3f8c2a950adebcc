// Pictures that were sent and are not answered yet, kept by the browser: neither a reload nor a closed tab loses one.

const STORE = 'pictures';

/** This tab, while it lives: other tabs leave its pictures to it. */
const tab = newKey();

/** @type {Promise<IDBDatabase> | undefined} */
let opening;

/**
 * What is kept of a picture.
 * @typedef {{key: string, file: File, at: number, tab: string}} Kept
 */

/** What nobody else has. Not crypto.randomUUID(), which browsers offer over HTTPS and on localhost only. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Says to other tabs that this one lives, for as long as it does. */
export function begin() {
  navigator.locks?.request(tab, () => new Promise(() => {}));
}

/** @param {string} key @param {File} file */
export const keep = (key, file) => change((store) => store.put({ key, file, at: Date.now(), tab }));

/** @param {string} key */
export const release = (key) => change((store) => store.delete(key));

/**
 * Makes what other tabs have not done this tab's own, as soon as each of them is gone. (Over plain HTTP there are no locks,
 * and nobody can tell.)
 * @param {(left: Kept[]) => void} take what one left, oldest first
 */
export async function takeOver(take) {
  const others = new Set((await all()).map((kept) => kept.tab));
  for (const other of others) {
    if (navigator.locks) navigator.locks.request(other, () => inherit(other, take));
    else inherit(other, take);
  }
}

/** @param {string} other @param {(left: Kept[]) => void} take */
async function inherit(other, take) {
  const left = (await all()).filter((kept) => kept.tab === other).sort((one, another) => one.at - another.at);
  await Promise.all(left.map(({ key, file }) => keep(key, file)));
  if (left.length) take(left);
}

/** @returns {Promise<Kept[]>} */
const all = async () => (await change((store) => store.getAll())) ?? [];

/** @param {(store: IDBObjectStore) => IDBRequest} act @returns {Promise<any>} undefined where the browser keeps nothing */
async function change(act) {
  try {
    opening ??= opened();
    const transaction = (await opening).transaction(STORE, 'readwrite');
    const request = act(transaction.objectStore(STORE));
    await new Promise((resolve, reject) => {
      transaction.addEventListener('complete', resolve);
      transaction.addEventListener('abort', () => reject(transaction.error));
    });
    return request.result;
  } catch (error) {
    console.info('This browser does not keep pictures', error);
    return undefined;
  }
}

async function opened() {
  const request = indexedDB.open('digit-reader', 1);
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE, { keyPath: 'key' }));
  await new Promise((resolve, reject) => {
    request.addEventListener('success', resolve);
    request.addEventListener('error', () => reject(request.error));
  });
  return request.result;
}
