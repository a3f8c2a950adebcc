import { askForKey, bearer, keyFor } from './keys.js';
import { language } from './formats.js';
import { texts } from './texts.js';

/** The function's own limit, and nginx's a little above it. */
const LIMIT = 20 * 1024 * 1024;

/** What a result is made of, as the function has it. */
const RESULT = /^[0-9? \n]{0,200}$/;

/** Milliseconds without any sign of life: longer than nginx waits for the function. */
const PATIENCE = 90_000;

/**
 * @typedef {{digit: number | null, confidence: number | null, probabilities: number[] | null,
 *            box: [number, number, number, number], seen: string}} Mark
 * @typedef {{id: string, time: string, filename: string, result: string, confidence: number, digits: Mark[],
 *            notice: {code: string, text: string} | null, recorded: 'stored' | 'queued' | 'no', model: string}} Answer
 * @typedef {{id: string, time: string, filename: string, result: string, confidence: number, correction: string | null,
 *            model: string, seen?: string[]}} Entry
 */

/** An error worth showing, in RFC 9457's terms; status 0 is for what never reached the API. */
export class Problem extends Error {
  /** @param {{title: string, detail?: string}} words @param {number} status @param {unknown} [cause] */
  constructor({ title, detail = '' }, status = 0, cause = undefined) {
    super(title, { cause });
    this.title = title;
    this.detail = detail;
    this.status = status;
    /** What language the words are in: the API speaks English alone. */
    this.language = language;
    /** Whether the function asks for a key, or for another one (RFC 6750). */
    this.wantsKey = false;
    /** In how many seconds to try again, if the function says so. @type {number | null} */
    this.retryAfter = null;
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
 * @param {(share: number) => void} onprogress how much of it is sent, from 0 to 1
 * @returns {Promise<Answer>}
 */
export async function read(picture, key, controller, onprogress) {
  await check(picture);
  const send = (headers) => post('', picture, { ...headers, 'Idempotency-Key': key }, controller, onprogress);
  return answerOf(await withKey('upload', send, controller.signal));
}

/**
 * The same without a record, for a drawing that goes on. For a key it does not ask: nobody is interrupted while drawing.
 * @param {File} picture
 * @param {AbortController} controller
 * @returns {Promise<Answer>}
 */
export async function preview(picture, controller) {
  return answerOf(await post('?record=false', picture, bearer(keyFor('upload')), controller, () => {}));
}

/** @param {any} answer */
function answerOf(answer) {
  if (!Array.isArray(answer.digits)) throw new Problem(texts.garbled(200));
  return answer;
}

/**
 * A page of the records that the query asks for, newest first, and where the next one begins.
 * @param {Record<string, string | number | boolean>} query
 * @param {boolean} mayAsk for a key
 * @returns {Promise<{records: Entry[], next: string | null}>}
 */
export async function latest(query, mayAsk) {
  const path = `records?${new URLSearchParams(query)}`;
  const list = (headers) => ask(path, { headers, signal: AbortSignal.timeout(PATIENCE) });
  const { records, next } = await (mayAsk ? withKey('records', list) : list(bearer(keyFor('records'))));
  if (!Array.isArray(records)) throw new Problem(texts.garbled(200));
  return { records, next: next ?? null };
}

/** All records that match in one file. @param {string} query which says in which format @returns {Promise<Blob>} */
export function download(query) {
  const { signal } = new AbortController();
  return withKey('records', (headers) => ask(`records${query}`, { headers, signal }, (response) => response.blob()));
}

/**
 * Has it kept beside a record what the picture really said, or with null nothing; doing it twice is doing it once.
 * @param {string} id
 * @param {string | null} result
 */
export async function correct(id, result) {
  if (result !== null && !RESULT.test(result)) throw new Problem(texts.notAResult, 400);
  const options = result === null ? { method: 'DELETE' } : { method: 'PUT', body: JSON.stringify({ result }) };
  const kind = result === null ? {} : { 'Content-Type': 'application/json' };
  const change = (headers) => ask(`records/${encodeURIComponent(id)}/correction`, {
    ...options, headers: { ...headers, ...kind }, signal: AbortSignal.timeout(PATIENCE),
  });
  const { correction } = await withKey('records', change);
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
 * A form with a picture.
 * @param {string} query
 * @param {File} picture
 * @param {Record<string, string>} headers
 * @param {AbortController} controller
 * @param {(share: number) => void} onprogress
 */
function post(query, picture, headers, controller, onprogress) {
  const body = new FormData();
  body.append('image', picture);
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(new Problem(texts.tooSlow)), PATIENCE);
  };
  wait();
  const progressed = (share) => { wait(); onprogress(share); };
  const send = (url, options) => upload(url, options, progressed);
  return ask(query, { body, headers, signal: controller.signal }, understood, send).finally(() => clearTimeout(timer));
}

/**
 * What fetch() does, which cannot tell how much is sent.
 * @param {URL} url
 * @param {{body: FormData, headers: Record<string, string>, signal: AbortSignal}} options
 * @param {(share: number) => void} onprogress
 * @returns {Promise<Response>}
 */
function upload(url, { body, headers, signal }, onprogress) {
  const request = new XMLHttpRequest();
  const abort = () => request.abort();
  const sent = new Promise((resolve, reject) => {
    request.upload.addEventListener('progress', ({ loaded, total }) => onprogress(total ? loaded / total : 1));
    request.addEventListener('load', () => resolve(answered(request)));
    request.addEventListener('error', () => reject(new TypeError('Failed to send')));
    request.addEventListener('abort', () => reject(signal.reason));
  });
  request.open('POST', url);
  request.responseType = 'blob';
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  signal.addEventListener('abort', abort);
  if (signal.aborted) return Promise.reject(signal.reason);
  request.send(body);
  return sent.finally(() => signal.removeEventListener('abort', abort));
}

/** @param {XMLHttpRequest} request */
function answered(request) {
  const headers = new Headers();
  for (const name of ['Content-Type', 'Retry-After', 'WWW-Authenticate']) {
    const value = request.getResponseHeader(name);
    if (value !== null) headers.set(name, value);
  }
  return new Response(request.response, { status: request.status, headers });
}

/**
 * One request; what comes back is JSON of an answer with status 2xx, or what `take` makes of it, and everything else is a
 * Problem.
 * @param {string} path below api/
 * @param {RequestInit & {signal: AbortSignal}} options
 * @param {(response: Response) => Promise<any>} take
 * @param {(url: URL, options: any) => Promise<Response>} send
 */
async function ask(path, options, take = understood, send = fetch) {
  try {
    const response = await send(new URL(`api/${path}`, document.baseURI), options);
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
  if (body?.title) problem.language = 'en';
  problem.wantsKey = response.status === 401 && /^Bearer\b/i.test(response.headers.get('WWW-Authenticate') ?? '');
  problem.retryAfter = Number.parseInt(response.headers.get('Retry-After') ?? '', 10) || null;
  throw problem;
}

/** @param {unknown} error @param {AbortSignal} signal */
function whyNot(error, signal) {
  if (error instanceof Problem) return error;
  if (signal.reason instanceof Problem) return signal.reason;
  if (signal.aborted) return new Problem(texts.late, 0, error);
  return new Problem(navigator.onLine ? texts.unreachable : texts.offline, 0, error);
}
