// Everything the scripts say, in one place; what never changes stands in index.html.

export const readIt = 'Read it';
export const reading = 'Reading…';
export const noDigit = 'No digit found';

/** What became of the record, by the answer's `recorded`. */
export const recorded = {
  stored: 'Stored',
  queued: 'Kept safely, on its way to the store',
  no: 'Not recorded',
};

export const tryAgain = 'Try again';
export const downloading = 'Downloading…';

// Where the function asks for a key.
export const needsKey = { upload: 'Reading pictures needs a key', records: 'The records need a key' };
export const key = 'Key';
export const keyHint = 'Whoever runs this reader gives it out. It is kept until you close this tab.';
export const useKey = 'Use this key';
export const enterKey = 'Enter the key';
export const cancel = 'Cancel';

export const noRecords = 'Nothing has been read yet. The first answer will stand here.';

// What the page says itself, in the shape of the API's problems. `tooLarge` and `notAResult` are worded as the API words them.
export const tooLarge = { title: 'The picture is too large', detail: 'The limit is 20 MiB. Send a smaller picture.' };
export const notAResult = {
  title: 'The request is broken',
  detail: 'A result is made of digits, spaces, line breaks and ?, at most 200 of them.',
};
export const noPicture = { title: 'No picture yet', detail: 'Choose, drop or paste a picture first.' };
export const notAFile = {
  title: 'The clipboard holds no picture',
  detail: 'Copy a picture, or a part of the screen, and paste again.',
};
export const gone = {
  title: 'The file cannot be opened',
  detail: 'It may have been moved or changed, or be a folder. Choose it again.',
};
export const offline = {
  title: 'You are offline',
  detail: 'Nothing here is lost. Connect to the internet and try again.',
};
export const unreachable = {
  title: 'The reader cannot be reached',
  detail: 'Nothing here is lost. Check the connection, or try again in a moment.',
};
export const tooSlow = {
  title: 'No answer came in time',
  detail: 'The picture stays here. Try again in a moment, or with a smaller picture.',
};
export const late = { title: tooSlow.title, detail: 'Nothing here is lost. Try again in a moment.' };
export const broken = {
  title: 'Something went wrong on this page',
  detail: 'Nothing here is lost. Try again, or reload the page.',
};

/** @param {number} status of an answer that did not come from the reader, such as a proxy's own error page */
export const garbled = (status) => ({
  title: 'The answer could not be understood',
  detail: `Something between this page and the reader answered in its place (status ${status}). Try again in a moment.`,
});

/** @param {string} name */
export const unshown = (name) => `This browser cannot show ${name}, but it can be sent all the same.`;

/** @param {File} picture @param {number} others how many files came with it */
export const caption = (picture, others) =>
  `${picture.name}, ${size(picture.size)}${others > 0 ? ` (the first of ${others + 1} files)` : ''}`;

/** A mark in words. @param {number | null} digit @param {number} place from 1 @param {number | null} confidence */
export const markLabel = (digit, place, confidence) => `${digit ?? notADigit}, mark ${place}, ${sure(confidence)}`;

export const notADigit = 'not a digit';
export const theDigit = 'What the digit really is';
export const noMark = 'There is no single digit to correct';
export const othersThanMarks = 'No longer one digit for each mark: correct the whole number';

/** @param {number | null} digit as it was read @param {number} place from 1 */
export const theMark = (digit, place) => `What mark ${place} really is (read as ${digit ?? notADigit})`;

export const saving = 'Saving…';

/** What the record says now. @param {string} text @param {boolean} isAsRead */
export const saved = (text, isAsRead) => (isAsRead ? `Saved as ${inALine(text)}, as it was read` : corrected(text));

/** @param {string} text */
export const corrected = (text) => `Corrected to ${inALine(text)}`;

/** @param {string} text */
const inALine = (text) => text.replaceAll('\n', ', ') || 'no digit';

/** @param {string} digit */
export const seen = (digit) => `The ${digit} as the model saw it, 28 by 28 pixels`;

/** @param {number | null} confidence */
export const sure = (confidence) => `${percent(confidence)} sure`;

const percents = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });

/**
 * A probability in words. Rounding never claims certainty: 0.9999 is not 100 %, and 0.0001 is not nothing.
 * @param {number | null | undefined} probability
 */
export function percent(probability) {
  if (!Number.isFinite(probability)) return '–';
  if (probability > 0 && probability < 0.0005) return '<0.1%';
  if (probability < 1 && probability >= 0.9995) return '>99.9%';
  return percents.format(probability);
}

/** The same in two digits at most, for over the picture. @param {number | null} probability */
export const wholePercent = (probability) =>
  Number.isFinite(probability) ? `${Math.min(99, Math.max(1, Math.round(100 * probability)))}%` : '–';

/** @param {number} milliseconds */
export const duration = (milliseconds) =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;

/** @param {number} bytes */
const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

const times = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'medium' });

/** @param {string} iso @returns {string} the moment as the viewer's locale and clock write it */
export const localTime = (iso) => (Number.isNaN(Date.parse(iso)) ? iso : times.format(new Date(iso)));
