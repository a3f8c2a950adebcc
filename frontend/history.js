import { asProblem, download, latest } from './api.js';
import { element, part } from './dom.js';
import { keyFor } from './keys.js';
import { language } from './formats.js';
import { renewed, toQuery } from './listing.js';
import { drawRows, focusRow } from './rows.js';
import { texts } from './texts.js';

/** @typedef {import('./api.js').Entry} Entry */

/** So many more are shown at a time. */
const PAGE = 20;
/** Of those that are shown, so many are asked for anew after an answer or a correction. */
const RENEWED = 100;
/** So many are in the chart. */
const CHARTED = 500;
/** A request looks at a bounded number of records, and may find few among them: so many are made in a row. */
const TRIES = 5;
/** Milliseconds after the last key until what was typed is searched for. */
const PAUSE = 300;

/** What is asked for. Another object is another question: what still comes for the one before is left. */
let asked = toQuery({ result: '', from: '', to: '' });
/** What `found`, newest first, is the answer to, and where it goes on. */
let answered = null;
/** @type {Entry[]} */
let found = [];
/** @type {string | null} */
let next = null;
/** Whether the last search ended before it had found a page full. */
let isUnfinished = false;
/** What the chart is of, and the answer to which question; it is asked for once the chart comes near the view. */
let charted = { answered: null, records: /** @type {Entry[]} */ ([]) };
let charting = null;
let isChartNear = false;
/** Whether the function shows records for a key alone. */
let areLocked = false;
let refreshing = { isUnderWay: false, isWanted: false, mayAsk: false };

export function listen() {
  let timer = 0;
  const filterSoon = (wait) => { clearTimeout(timer); timer = setTimeout(filter, wait); };
  part('filters').addEventListener('input', () => filterSoon(PAUSE));
  part('filters').addEventListener('submit', (event) => { event.preventDefault(); filterSoon(0); });
  part('clear-filters').addEventListener('click', () => {
    part('filters').reset();
    // The button goes, as there is nothing to clear any more.
    part('filters').elements.result.focus();
    filterSoon(0);
  });
  // Only here a key is asked for, since somebody has just said so: nobody is interrupted who wants a picture read.
  part('records-again').addEventListener('click', () => refresh({ mayAsk: true }));
  part('more').addEventListener('click', more);
  part('downloads').addEventListener('click', downloadWithKey);
  part('chart-again').addEventListener('click', chart);
  addEventListener('online', () => refresh());
  new IntersectionObserver(come, { rootMargin: '50%' }).observe(part('chart'));
}

/**
 * Brings up to date what is shown. When that fails, the rows that are there stay, and words say why. Several wishes at
 * once are one.
 */
export async function refresh({ mayAsk = false } = {}) {
  refreshing.isWanted = true;
  refreshing.mayAsk ||= mayAsk;
  if (refreshing.isUnderWay) return;
  refreshing.isUnderWay = true;
  while (refreshing.isWanted) {
    const may = refreshing.mayAsk;
    refreshing = { isUnderWay: true, isWanted: false, mayAsk: false };
    await (answered === asked && found.length ? renew(may) : search(may));
  }
  refreshing.isUnderWay = false;
}

// ---------------------------------------------------------------------------------------------- the list

/** Has what the form says searched for, unless it says nothing that could be. */
function filter() {
  const { result, from, to } = part('filters').elements;
  if (!result.checkValidity()) return say(texts.notSearchable);
  if (!from.checkValidity() || !to.checkValidity()) return say(texts.noSuchDay);
  const wanted = toQuery({ result: result.value, from: from.value, to: to.value });
  if (answered === asked && same(wanted, asked)) return settle();
  asked = wanted;
  drawFilters(Object.keys(wanted).length > 0);
  return search(false);
}

/** @param {object} one @param {object} other */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** @param {boolean} areSome */
function drawFilters(areSome) {
  part('history').toggleAttribute('data-filtered', areSome);
  part('clear-filters').hidden = !areSome;
  part('downloads-words').textContent = areSome ? texts.downloadMatching : texts.downloadAll;
  for (const link of part('downloads').querySelectorAll('a')) {
    const format = new URLSearchParams(link.search).get('format');
    link.search = String(new URLSearchParams({ format, ...asked }));
  }
}

/** Shows the newest that match in place of what is shown. @param {boolean} mayAsk for a key */
async function search(mayAsk) {
  asked = { ...asked };
  const question = asked;
  part('history').setAttribute('aria-busy', 'true');
  try {
    await gather(null, mayAsk);
    if (question === asked) settle();
  } catch (error) {
    if (question !== asked) return;
    // The answer to another question would be taken for one to this.
    if (answered !== asked) show([], null);
    showProblem(error);
  } finally {
    if (question === asked) part('history').setAttribute('aria-busy', 'false');
  }
}

async function more() {
  if (part('more').getAttribute('aria-disabled') === 'true') return;
  const question = asked;
  const last = found.at(-1)?.id;
  setLoading(true);
  try {
    await gather(next, true);
    if (question !== asked) return;
    settle();
    if (document.activeElement === part('more')) focusRow(found.findIndex(({ id }) => id === last) + 1);
  } catch (error) {
    if (question === asked) showProblemBelow(error);
  } finally {
    setLoading(false);
  }
}

/** Shows a page of records more, or as many as are found in a few requests. @param {string | null} cursor */
async function gather(cursor, mayAsk) {
  const question = asked;
  let [before, count] = [cursor === null ? [] : null, 0];
  for await (const page of pages({ ...question, limit: PAGE, seen: true }, cursor, mayAsk)) {
    if (question !== asked) return;
    answered = question;
    count += page.records.length;
    isUnfinished = page.next !== null && count < PAGE;
    show([...(before ?? found), ...page.records], page.next);
    before = null;
    if (count >= PAGE) return;
  }
}

/**
 * One request each, from a cursor on, as long as there are more and not too many.
 * @param {Record<string, string | number | boolean>} query
 * @param {string | null} cursor
 * @param {boolean} mayAsk
 */
async function* pages(query, cursor, mayAsk) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const page = await latest({ ...query, ...(cursor && { cursor }) }, mayAsk);
    yield page;
    if (page.next === null) return;
    cursor = page.next;
  }
}

/** Asks anew for the newest of those that are shown, and for what has come since. @param {boolean} mayAsk */
async function renew(mayAsk) {
  const question = asked;
  const since = found[Math.min(found.length, RENEWED) - 1].time;
  const fresh = [];
  try {
    let isAll = false;
    for await (const page of pages({ ...question, from: since, limit: RENEWED, seen: true }, null, mayAsk)) {
      fresh.push(...page.records);
      isAll = page.next === null;
    }
    if (question !== asked) return;
    // So many have come that what was shown is far behind.
    if (!isAll) return search(mayAsk);
    if (charted.answered === asked) charted.records = renewed(charted.records, fresh, since);
    show(renewed(found, fresh, since), next);
    // An answer has been said already; how many there are now interrupts nobody.
    settle({ isQuiet: true });
  } catch (error) {
    if (question === asked) showProblem(error);
  }
}

/** @param {Entry[]} records @param {string | null} cursor */
function show(records, cursor) {
  found = records;
  next = cursor;
  drawRows(found);
  part('table').hidden = part('chart').hidden = !found.length;
  part('below').hidden = next === null;
}

/** Says what is shown now, and draws what hangs on it. */
function settle({ isQuiet = false } = {}) {
  say(words(), { isQuiet });
  part('more-problem').textContent = '';
  part('more').textContent = isUnfinished ? texts.searchOn : texts.showMore;
  chart();
}

function words() {
  if (isUnfinished) return texts.foundSoFar(found.length);
  if (found.length) return texts.shown(found.length, next !== null);
  return Object.keys(asked).length ? texts.noMatches : texts.noRecords;
}

/** @param {string} message @param {{again?: string, lang?: string, isQuiet?: boolean}} how `again` names the button */
function say(message, { again = '', lang = language, isQuiet = false } = {}) {
  part('records-message').setAttribute('aria-live', isQuiet ? 'off' : 'polite');
  part('records-message').textContent = message;
  part('records-message').lang = lang;
  part('records-again').textContent = again || texts.tryAgain;
  part('records-again').hidden = !again;
}

/** @param {unknown} error */
function showProblem(error) {
  const problem = asProblem(error);
  areLocked ||= problem.wantsKey;
  const again = problem.wantsKey ? texts.enterKey : texts.tryAgain;
  say(`${problem.title}. ${problem.detail}`, { again, lang: problem.language });
}

/** Where the button is that was pressed. @param {unknown} error */
function showProblemBelow(error) {
  const problem = asProblem(error);
  part('more-problem').textContent = `${problem.title}. ${problem.detail}`;
  part('more-problem').lang = problem.language;
  part('more').textContent = texts.tryAgain;
}

/** @param {boolean} isLoading */
function setLoading(isLoading) {
  // Not `disabled`, which would take the keyboard's focus away.
  part('more').setAttribute('aria-disabled', String(isLoading));
  if (isLoading) part('more-problem').textContent = '';
}

// ----------------------------------------------------------------------------------------------- files

/** A link sends no key along, so where one is needed the page downloads the file in its place. @param {Event} event */
async function downloadWithKey(event) {
  const link = event.target.closest('a');
  if (!link || !(areLocked || keyFor('records'))) return;
  event.preventDefault();
  say(texts.downloading);
  try {
    const url = URL.createObjectURL(await download(link.search));
    element('a', { href: url, download: link.download }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    await refresh();
  } catch (error) {
    showProblem(error);
  }
}

// ----------------------------------------------------------------------------------------------- chart

/** @param {IntersectionObserverEntry[]} entries */
function come(entries) {
  if (!entries.some(({ isIntersecting }) => isIntersecting) || isChartNear) return;
  isChartNear = true;
  chart();
}

/** Draws the chart of what is asked for, once it is near the view. */
async function chart() {
  if (!isChartNear || !found.length || charting === asked) return;
  const question = asked;
  charting = question;
  part('chart-problem').hidden = true;
  try {
    const { drawChart } = await import('./chart.js');
    if (charted.answered !== question) await collect(question);
    if (question === asked) drawChart(charted.records.slice(0, CHARTED));
  } catch (error) {
    if (question === asked) showProblemInChart(error);
  } finally {
    if (charting === question) charting = null;
  }
}

/** The newest of what is asked for; where all of it is shown, it is there. @param {typeof asked} question */
async function collect(question) {
  const records = next === null ? found : [];
  if (next !== null) {
    for await (const page of pages({ ...question, limit: CHARTED }, null, false)) {
      records.push(...page.records);
      if (records.length >= CHARTED) break;
    }
  }
  if (question === asked) charted = { answered: question, records };
}

/** @param {unknown} error */
function showProblemInChart(error) {
  const problem = asProblem(error);
  part('chart-problem').hidden = false;
  part('chart-problem-words').textContent = problem.title;
  part('chart-problem-words').lang = problem.language;
}
