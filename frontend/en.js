import { percent } from './formats.js';

const notADigit = 'not a digit';
const inALine = (text) => text.replaceAll('\n', ', ') || 'no digit';
const sure = (confidence) => `${percent(confidence)} sure`;
const records = (count) => `${count} ${count === 1 ? 'record' : 'records'}`;

/** All that the page says, in English. index.html says the same where it is to be seen before any script runs. */
export const en = {
  title: 'Digit Reader',
  tagline: 'Handwritten digits in any picture become numbers.',
  skip: 'Skip to the picture',
  languages: 'Language',

  // The picture, and the ways to it.
  pictureHeading: 'Picture',
  ways: 'Where the picture comes from',
  byFile: 'Picture',
  byHand: 'Draw',
  dropHere: 'Drop pictures anywhere',
  orPaste: 'paste one, or choose some below',
  pictureOfDigits: 'A picture of digits',
  orPhoto: 'choose one, or take a photo',
  choose: 'Choose a picture',
  photograph: 'Take a photo',
  kinds: 'JPEG, PNG, HEIC, WebP, AVIF, TIFF and more, up to 20 MiB. One, or several at once.',
  readIt: 'Read it',
  readAll: 'Read them',
  reading: 'Reading…',
  nothingYet: 'No picture yet',
  /** @param {string} name */
  unshown: (name) => `This browser cannot show ${name}, but it can be sent all the same.`,

  // Pictures on their way.
  pictures: 'Pictures',
  /** @param {number} all @param {number} read @param {number} waiting @param {number} failed */
  progress: (all, read, waiting, failed) =>
    [`${all} ${all === 1 ? 'picture' : 'pictures'}`, `${read} read`, waiting && `${waiting} waiting for the reader`, failed && `${failed} not read`]
      .filter(Boolean).join(', '),
  preparing: 'Making it ready…',
  /** @param {string} share */
  sending: (share) => `Sending, ${share}`,
  states: { queued: 'Next to be sent', waiting: 'Waiting', cancelled: 'Cancelled' },
  cancel: 'Cancel',
  uploading: 'Sent so far',

  // The answer.
  answerHeading: 'Answer',
  noDigit: 'No digit found',
  notADigit,
  sure,
  /** While one draws, instead of what became of the record. */
  drawingName: 'drawing.png',
  copy: 'Copy',
  copied: 'Copied',
  notCopied: 'The browser does not let this page copy',
  whichMark: 'Show the probabilities of',
  sawHeading: 'What the model saw',
  bars: 'Probability of each digit',
  /** @param {string} digit */
  seen: (digit) => `The ${digit} as the model saw it, 28 by 28 pixels`,
  /** A mark in words. @param {number | null} digit @param {number} place from 1 @param {number | null} confidence */
  markLabel: (digit, place, confidence) => `${digit ?? notADigit}, mark ${place}, ${sure(confidence)}`,
  /** @param {(number | null)[]} likeliest two, the likelier first */
  unsure: ([first, second]) => `unsure: ${first ?? notADigit} or ${second ?? notADigit}`,
  /** The answer's notices by their codes, where the API's own words are of another language. */
  notices: {},
  took: 'Took',
  record: 'Record',
  model: 'Model',
  /** What became of the record, by the answer's `recorded`. */
  recorded: { stored: 'Stored', queued: 'Kept safely, on its way to the store', no: 'Not until you press “Read it”' },

  // Corrections.
  correction: 'Correction',
  theDigit: 'What the digit really is',
  noMark: 'There is no single digit to correct',
  othersThanMarks: 'No longer one digit for each mark: correct the whole number',
  /** @param {number | null} digit as it was read @param {number} place from 1 */
  theMark: (digit, place) => `What mark ${place} really is (read as ${digit ?? notADigit})`,
  wholeNumber: 'What the whole number really is',
  wholeHint: 'Digits, spaces, line breaks, and ? for what is no digit.',
  save: 'Save',
  saving: 'Saving…',
  undo: 'Undo',
  /** What the record says now. @param {string} text */
  corrected: (text) => `Corrected to ${inALine(text)}`,
  /** @param {string} text */
  confirmed: (text) => `Saved as ${inALine(text)}, as it was read`,
  takenBack: 'The correction is taken back',

  // Where the function asks for a key.
  needsKey: { upload: 'Reading pictures needs a key', records: 'The records need a key' },
  key: 'Key',
  keyHint: 'Whoever runs this reader gives it out. It is kept until you close this tab.',
  useKey: 'Use this key',
  enterKey: 'Enter the key',

  // Drawing.
  drawing: 'Drawing',
  drawingHint: 'With mouse, pen or finger. Or choose a picture instead.',
  writeHere: 'Write digits here',
  pens: 'Pen',
  fine: 'Fine',
  medium: 'Medium',
  broad: 'Broad',
  redo: 'Redo',
  clear: 'Clear',
  /** @param {number} strokes that are on the paper now */
  drawn: (strokes) => (strokes ? `${strokes} ${strokes === 1 ? 'stroke' : 'strokes'}` : 'The paper is empty'),

  // History.
  recordsHeading: 'Records',
  downloadAll: 'Download all:',
  downloadMatching: 'Download these:',
  csv: 'CSV',
  jsonLines: 'JSON lines',
  downloading: 'Downloading…',
  loadingRecords: 'Loading the records…',
  noRecords: 'Nothing has been read yet. The first answer will stand here.',
  filterRecords: 'Filter the records',
  resultContains: 'Result contains',
  fromDay: 'From day',
  toDay: 'To day',
  clearFilters: 'Clear filters',
  noMatches: 'Nothing matches these filters.',
  notSearchable: 'Results are made of digits, spaces and ?: nothing else can be searched for.',
  noSuchDay: 'A day is not filled in completely, or is before 2000.',
  recordTime: 'Time',
  recordFile: 'File',
  recordResult: 'Result',
  recordConfidence: 'Confidence',
  /** @param {number} count @param {boolean} areMore whether there are others, older ones */
  shown: (count, areMore) => (areMore ? `The newest ${count} are shown.` : `${records(count)}.`),
  /** @param {number} count */
  foundSoFar: (count) => `${count || 'Nothing'} found so far. Older records have not been searched yet.`,
  showMore: 'Show more',
  searchOn: 'Search on',
  chartHeading: 'Accuracy and confidence over time',
  chartHint: 'A record that nobody has corrected counts as right: the true accuracy may be lower.',
  right: 'Right, at most',
  confidence: 'Confidence',
  figures: 'In figures',
  /** In place of the lines. @param {number} enough */
  tooFew: (enough) => `From ${enough} records on, two lines show how both change.`,
  /** @param {number} fewest @param {number} most @param {number} floor where the axis begins */
  perPoint: (fewest, most, floor) =>
    `Each point: ${fewest === most ? most : `${fewest} or ${most}`} records. The axis begins at ${percent(floor)}.`,
  /** @param {string} span of time @param {{confidence: number | null, right: number}} point */
  pointWords: (span, { count, confidence, right }) =>
    `${span}, ${count} records: ${sure(confidence)}, ${percent(right)} right at most`,
  /** @param {number} some @param {number} all */
  outOf: (some, all) => `${some} of ${all}`,
  /** @param {string} span @param {import('./accuracy.js').Summary} all @param {typeof all[]} points the chart in words */
  chartWords: (span, { count, confidence, right, corrected, confirmed }, points) => [
    `${records(count)}, ${span}${confidence === null ? '.' : `: ${sure(confidence)} on average.`}`,
    `${corrected} corrected to something else, ${confirmed} confirmed,`,
    `${count - corrected - confirmed} left as they were read.`,
    ...(points.length ? [
      `At most ${percent(right)} are right,`,
      `from ${percent(points[0].right)} at first to ${percent(points.at(-1).right)} at last.`,
      `Confidence went from ${percent(points[0].confidence)} to ${percent(points.at(-1).confidence)}.`,
    ] : []),
  ].join(' '),

  // What goes wrong on the page itself, in the shape of the API's problems. `tooLarge` and `notAResult` are worded as the
  // API words them.
  tryAgain: 'Try again',
  waits: 'It is kept here, and sent again by itself.',
  tooLarge: { title: 'The picture is too large', detail: 'The limit is 20 MiB. Send a smaller picture.' },
  notAResult: {
    title: 'The request is broken',
    detail: 'A result is made of digits, spaces, line breaks and ?, at most 200 of them.',
  },
  noPicture: { title: 'No picture yet', detail: 'Choose, drop or paste a picture first. Or draw one.' },
  notAFile: {
    title: 'The clipboard holds no picture',
    detail: 'Copy a picture, or a part of the screen, and paste again.',
  },
  gone: {
    title: 'The file cannot be opened',
    detail: 'It may have been moved or changed, or be a folder. Choose it again.',
  },
  offline: { title: 'You are offline', detail: 'Nothing here is lost.' },
  unreachable: {
    title: 'The reader cannot be reached',
    detail: 'Nothing here is lost. Check the connection, or wait for a moment.',
  },
  tooSlow: {
    title: 'No answer came in time',
    detail: 'The line may be slow, or the reader busy.',
  },
  late: { title: 'No answer came in time', detail: 'Nothing here is lost. Try again in a moment.' },
  broken: { title: 'Something went wrong on this page', detail: 'Nothing here is lost. Try again, or reload the page.' },
  /** @param {number} status of an answer that did not come from the reader, such as a proxy's own error page */
  garbled: (status) => ({
    title: 'The answer could not be understood',
    detail: `Something between this page and the reader answered in its place (status ${status}). Try again in a moment.`,
  }),
};
