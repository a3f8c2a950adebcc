/**
 * Calls `take` with all pictures that get in at once: chosen, photographed, dropped anywhere on the page, or pasted.
 * @param {HTMLInputElement[]} inputs
 * @param {(pictures: File[], way: 'input' | 'drop' | 'paste') => void} take
 * @param {() => void} nothing when something was pasted that holds no file
 */
export function listen(inputs, take, nothing) {
  for (const input of inputs) listenToInput(input, take);
  listenToDrops(take);
  listenToPastes(take, nothing);
}

function listenToInput(input, take) {
  const taken = () => all(input.files, 'input', take);
  input.addEventListener('change', taken);
  // Emptied first, so that choosing the same file again (it may have changed since) counts as a choice.
  input.addEventListener('click', () => { input.value = ''; });
  // A reloaded page may come with the file that was chosen before.
  taken();
}

function listenToDrops(take) {
  const page = document.documentElement;
  const rest = () => page.removeAttribute('data-dragging');
  addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    page.setAttribute('data-dragging', '');
  });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) rest(); });
  addEventListener('drop', (event) => {
    rest();
    if (!event.dataTransfer?.types.includes('Files')) return;
    // Otherwise the browser leaves the page to show the file.
    event.preventDefault();
    all(event.dataTransfer.files, 'drop', take);
  });
}

function listenToPastes(take, nothing) {
  addEventListener('paste', (event) => {
    if (isText(event.target)) return;
    if (!all(event.clipboardData?.files, 'paste', take)) nothing();
  });
}

/** @param {EventTarget | null} target where pasting belongs to the field and not to the page */
const isText = (target) => target instanceof Element && target.matches('input:not([type="file"]), textarea');

/** @param {FileList | undefined} files */
function all(files, way, take) {
  if (!files?.length) return false;
  take([...files], way);
  return true;
}
