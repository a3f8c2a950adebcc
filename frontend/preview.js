import { part, svg } from './dom.js';
import * as texts from './texts.js';

const image = part('preview');
const boxes = part('boxes');

image.addEventListener('load', () => {
  // Both sides are upright: browsers apply the EXIF orientation, and boxes are given in pixels of the upright picture.
  boxes.setAttribute('viewBox', `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
  setShown(true);
});
image.addEventListener('error', () => setShown(false));

/** Shows the picture, or says kindly that this browser cannot (HEIC and TIFF in most). @param {File} picture */
export function show(picture) {
  URL.revokeObjectURL(image.src);
  part('invitation').hidden = true;
  part('unshown').textContent = texts.unshown(picture.name);
  image.alt = picture.name;
  image.src = URL.createObjectURL(picture);
}

/** Only one of picture and words is to be seen, and boxes only over a picture. @param {boolean} shown */
function setShown(shown) {
  image.hidden = !shown;
  boxes.toggleAttribute('hidden', !shown);
  part('unshown').hidden = shown;
}

/** @param {[number, number, number, number][]} list in pixels of the upright picture */
export function drawBoxes(list) {
  boxes.replaceChildren(...list.map(drawBox));
}

/** @param {number} index of the box that stands out, as the one whose probabilities are shown */
export function markBox(index) {
  [...boxes.children].forEach((box, i) => box.classList.toggle('current', i === index));
}

function drawBox([x, y, width, height]) {
  const rectangle = (name) => svg('rect', { class: name, x, y, width, height, rx: 1 });
  return svg('g', {}, rectangle('halo'), rectangle('line'));
}
