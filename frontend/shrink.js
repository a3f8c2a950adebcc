/** Pixels of the longer side: far more than the function looks at (640), and far less than a phone's camera takes. */
const SIDE = 1600;
const QUALITY = 0.9;

/** What canvases make of each kind: nothing that is lost, but of what has lost something already. */
const KINDS = { 'image/jpeg': 'image/jpeg', 'image/webp': 'image/png', 'image/png': 'image/png', 'image/bmp': 'image/png' };

/**
 * A big picture made smaller, upright as its EXIF says; anything else as it is, HEIC and what else this browser cannot
 * decode included.
 * @param {File} picture
 * @returns {Promise<File>}
 */
export async function shrunk(picture) {
  const kind = KINDS[picture.type];
  const image = kind && (await decoded(picture));
  if (!image) return picture;
  const scale = SIDE / Math.max(image.naturalWidth, image.naturalHeight);
  const smaller = scale < 1 && (await drawn(image, scale, kind));
  URL.revokeObjectURL(image.src);
  return smaller && smaller.size < picture.size ? new File([smaller], picture.name, { type: kind }) : picture;
}

/** @param {File} picture @returns {Promise<HTMLImageElement | null>} */
async function decoded(picture) {
  const image = new Image();
  image.src = URL.createObjectURL(picture);
  return image.decode().then(() => image, () => { URL.revokeObjectURL(image.src); return null; });
}

/** @param {HTMLImageElement} image which is drawn upright @param {number} scale @param {string} kind */
function drawn(image, scale, kind) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(image.naturalWidth * scale);
  canvas.height = Math.round(image.naturalHeight * scale);
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, kind, QUALITY); });
}
