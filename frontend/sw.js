// The service worker: with it the page opens without a network too. (https://www.w3.org/TR/service-workers/)
//
// A page is always opened whole: all its files as the server has them now, or, where they do not come in time, all as they
// were when they last came. So modules of two versions never meet. Which files these are is found in the files themselves,
// so there is no list here to be forgotten. Nothing else is touched, above all nothing under api/.

/** @typedef {Map<string, Response>} Files by their addresses, the page itself first */

const HOME = new URL('./', location.href).href;
const NAME = /^[a-z0-9-]+\.(?:css|js|svg|webmanifest)$/;
/** What a file says that it needs: src="…" and href="…" in HTML, import and from './…' in modules, url(…) in styles. */
const NEEDED = /(?:(?:src|href)=["']|(?:from|import|import\()\s*["']\.\/|url\(["']?)([a-z0-9.-]+)["')]/g;

/** Milliseconds that the server has for all files together. Whoever has opened the page before waits no longer than that. */
const PATIENCE = 3000;

/** Copies of the page are kept in caches of this name and a time. Other pages of this origin have names of their own. */
const KEPT = `page ${HOME} `;

/** Where the files of each page come from that was opened, by its client's id. @type {Map<string, Files | Cache>} */
const opened = new Map();

addEventListener('install', (event) => {
  // The page that is open stays as it is; the next one is opened by this worker.
  skipWaiting();
  event.waitUntil(filesOfNow().then((files) => keep(files)));
});

addEventListener('fetch', (event) => {
  const { method, mode, url } = event.request;
  const [address] = url.split(/[?#]/);
  if (method !== 'GET' || !address.startsWith(HOME)) return;
  const name = address.slice(HOME.length);
  if (mode === 'navigate' && ['', 'index.html'].includes(name)) event.respondWith(open(event));
  if (mode !== 'navigate' && NAME.test(name)) event.respondWith(file(event, address));
});

/** @param {FetchEvent} event @returns {Promise<Response>} */
async function open(event) {
  const copy = await newest();
  const now = filesOfNow(await addressesIn(copy));
  event.waitUntil(now.then((files) => keep(files, copy)).catch(() => {}));
  try {
    const files = await (copy ? Promise.race([now, tooLate()]) : now);
    opened.set(event.resultingClientId, files);
    return files.get(HOME).clone();
  } catch (reason) {
    if (!copy || isDeliberate(reason)) return fetch(event.request);
    opened.set(event.resultingClientId, copy);
    return copy.match(HOME);
  }
}

/** One file of a page, from where its others come. @param {FetchEvent} event @param {string} address */
async function file({ clientId, request }, address) {
  const page = opened.get(clientId) ?? (await newest());
  const response = page instanceof Map ? page.get(address)?.clone() : await page?.match(address);
  return response ?? fetch(request);
}

/**
 * All files of the page as the server has them now.
 * @param {string[]} likely addresses, which are asked for before any file says that it needs them
 * @returns {Promise<Files>}
 * @throws {Response | TypeError} what came, or why nothing did, in place of one of them
 */
async function filesOfNow(likely = []) {
  const asked = new Map();
  const ask = (address) => {
    if (!asked.has(address)) asked.set(address, load(address));
    return asked.get(address);
  };
  // It may be that none needs them any more, and that they are gone.
  for (const address of likely) ask(address).catch(() => {});
  const files = new Map();
  const take = async (address) => {
    if (files.has(address)) return;
    files.set(address, null);
    const { response, needed } = await ask(address);
    files.set(address, response);
    await Promise.all(needed.map(take));
  };
  await take(HOME);
  return files;
}

/** One file, and the addresses of those that it needs. @param {string} address */
async function load(address) {
  const response = await fetch(address, { cache: 'no-cache', redirect: 'manual' });
  if (!response.ok) throw response;
  const names = [...(await response.clone().text()).matchAll(NEEDED)].map(([, name]) => name);
  return { response, needed: names.filter((name) => NAME.test(name)).map((name) => HOME + name) };
}

/** Whether the server is there and means what it says in place of the page: that one must log in first, say. */
const isDeliberate = (reason) => reason instanceof Response && reason.url === HOME && reason.status < 500;

/** @returns {Promise<never>} */
const tooLate = () => new Promise((_, reject) => { setTimeout(reject, PATIENCE); });

/** Keeps a copy in place of those before, unless it is the same. @param {Files} files @param {Cache} [before] */
async function keep(files, before) {
  if (before && (await isCopy(before, files))) return;
  const name = KEPT + Date.now();
  const copy = await caches.open(name);
  const [page, ...others] = [...files].map(([address, response]) => [address, response.clone()]);
  await Promise.all(others.map(([address, response]) => copy.put(address, response)));
  // Last, for it tells that the copy is complete.
  await copy.put(...page);
  await Promise.all((await names()).filter((other) => other !== name).map((other) => caches.delete(other)));
}

/** @param {Cache} copy @param {Files} files */
async function isCopy(copy, files) {
  const isSame = async ([address, { headers }]) => {
    const kept = await copy.match(address);
    return headers.has('ETag') && headers.get('ETag') === kept?.headers.get('ETag');
  };
  return (await Promise.all([...files].map(isSame))).every(Boolean);
}

/** The copy that was completed last. @returns {Promise<Cache | undefined>} */
async function newest() {
  for (const name of (await names()).reverse()) {
    const copy = await caches.open(name);
    if (await copy.match(HOME)) return copy;
  }
  return undefined;
}

/** @returns {Promise<string[]>} of all copies, the oldest first */
const names = async () => (await caches.keys()).filter((name) => name.startsWith(KEPT));

/** @param {Cache | undefined} copy */
const addressesIn = async (copy) => ((await copy?.keys()) ?? []).map(({ url }) => url);
