import { askForKey, bearer, keyFor } from './keys.js';
import * as texts from './texts.js';

/** The function's own limit, and nginx's a little above it. */
const LIMIT = 20 * 1024 * 1024;

/** What a result is made of, as the function has it. */
const RESULT = /^[0-9? \n]{0,200}$/;

/** Longer than nginx waits for the function, and long enough for a large picture over a slow line. */
const PATIENCE = 120_000;

/**
 * @typedef {{digit: number | null, confidence: number | null, probabilities: number[] | null,
 *            box: [number, number, number, number], seen: string}} Mark
 * @typedef {{id: string, time: string, filename: string, result: string, confidence: number, digits: Mark[],
 *            notice: {code: string, text: string} | null, recorded: 'stored' | 'queued' | 'no', model: string}} Answer
 * @typedef {{id: string, time: string, filename: string, result: string, confidence: number, correction: string | null,
 *            model: string}} Entry
 */

/** An error worth showing, in RFC 9457's terms; status 0 is for what never reached the API. */
export class Problem extends Error {
  /** @param {{title: string, detail?: string}} words @param {number} status @param {unknown} [cause] */
  constructor({ title, detail = '' }, status = 0, cause = undefined) {
    super(title, { cause });
    this.title = title;
    this.detail = detail;
    this.status = status;
    /** Whether the function asks for a key, or for another one (RFC 6750). */
    this.wantsKey = false;
  }

  /** Whether the same request may well succeed a moment later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500 || this.wantsKey;
  }
}

/** What has gone wrong on the page itself is for the console, too. @param {unknown} error */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem(texts.broken, 0, error);
}

/**
 * Throws what needs no round trip to be known: a file over the limit, or one that cannot be opened (any more).
 * @param {File} picture
 */
export async function check(picture) {
  if (picture.size > LIMIT) throw new Problem(texts.tooLarge, 413);
  await picture.slice(0, 1).arrayBuffer().catch((cause) => { throw new Problem(texts.gone, 400, cause); });
}

/**
 * Sends a picture and gives back what was read in it.
 * @param {File} picture
 * @param {string} key the same for each try with one picture, so that a lost answer does not become a second record
 * @param {AbortController} controller
 * @returns {Promise<Answer>}
 */
export async function read(picture, key, controller) {
  await check(picture);
  const body = new FormData();
  body.append('image', picture);
  const send = (headers) => {
    const timer = setTimeout(() => controller.abort(new Problem(texts.tooSlow)), PATIENCE);
    const options = { method: 'POST', body, headers: { ...headers, 'Idempotency-Key': key }, signal: controller.signal };
    return ask('', options).finally(() => clearTimeout(timer));
  };
  const answer = await withKey('upload', send, controller.signal);
  if (!Array.isArray(answer.digits)) throw new Problem(texts.garbled(200));
  return answer;
}

/**
 * @param {number} limit
 * @param {boolean} mayAsk for a key
 * @returns {Promise<Entry[]>} the latest records, newest first
 */
export async function latest(limit, mayAsk) {
  const list = (headers) => ask(`records?limit=${limit}`, { headers, signal: AbortSignal.timeout(PATIENCE) });
  const { records } = await (mayAsk ? withKey('records', list) : list(bearer(keyFor('records'))));
  if (!Array.isArray(records)) throw new Problem(texts.garbled(200));
  return records;
}

/** All records in one file. @param {string} query which says in which format @returns {Promise<Blob>} */
export function download(query) {
  const { signal } = new AbortController();
  return withKey('records', (headers) => ask(`records${query}`, { headers, signal }, (response) => response.blob()));
}

/**
 * Has it kept beside a record what the picture really said; doing it twice is doing it once.
 * @param {string} id
 * @param {string} result
 */
export async function correct(id, result) {
  if (!RESULT.test(result)) throw new Problem(texts.notAResult, 400);
  const put = (headers) => ask(`records/${encodeURIComponent(id)}/correction`, {
    method: 'PUT',
    body: JSON.stringify({ result }),
    headers: { ...headers, 'Content-Type': 'application/json' },
    signal: AbortSignal.timeout(PATIENCE),
  });
  const { correction } = await withKey('records', put);
  if (correction !== result) throw new Problem(texts.garbled(200));
}

/**
 * Sends a request with this tab's key, and once more with each key that is entered, until one is right or none is given.
 * @template T
 * @param {import('./keys.js').Realm} realm
 * @param {(headers: Record<string, string>) => Promise<T>} send
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
async function withKey(realm, send, signal) {
  const key = keyFor(realm);
  try {
    return await send(bearer(key));
  } catch (problem) {
    if (!problem.wantsKey || !(await askForKey(realm, key, problem, signal))) throw problem;
    return withKey(realm, send, signal);
  }
}

/**
 * One request; what comes back is JSON of an answer with status 2xx, or what `take` makes of it, and everything else is a
 * Problem.
 * @param {string} path below api/
 * @param {RequestInit & {signal: AbortSignal}} options
 * @param {(response: Response) => Promise<any>} take
 */
async function ask(path, options, take = understood) {
  try {
    const response = await fetch(new URL(`api/${path}`, document.baseURI), options);
    return await (response.ok ? take : understood)(response);
  } catch (error) {
    throw whyNot(error, options.signal);
  }
}

/** @param {Response} response */
async function understood(response) {
  const body = await response.json().catch((cause) => {
    if (cause instanceof SyntaxError) throw new Problem(texts.garbled(response.status), response.status, cause);
    throw cause;
  });
  if (response.ok) return Object(body);
  const problem = new Problem(body?.title ? body : texts.garbled(response.status), response.status);
  problem.wantsKey = response.status === 401 && /^Bearer\b/i.test(response.headers.get('WWW-Authenticate') ?? '');
  throw problem;
}

/** @param {unknown} error @param {AbortSignal} signal */
function whyNot(error, signal) {
  if (error instanceof Problem) return error;
  if (signal.reason instanceof Problem) return signal.reason;
  if (signal.aborted) return new Problem(texts.late, 0, error);
  return new Problem(navigator.onLine ? texts.unreachable : texts.offline, 0, error);
}
