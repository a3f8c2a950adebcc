/**
 * The element of the page that carries data-part="name". Scripts hold on to these hooks only, so that classes stay free for
 * looks.
 * @param {string} name
 * @returns {any}
 */
export const part = (name) => document.querySelector(`[data-part="${name}"]`);

/** Only where it differs: a live region says whatever is put in. @param {Element} target @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * A new element. Whatever comes from outside goes in as text or as a property, never as markup.
 * @param {string} tag
 * @param {Record<string, unknown>} properties
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * A new SVG element, whose attributes are no style attributes and so need no exception from the content security policy.
 * @param {string} tag
 * @param {Record<string, unknown>} attributes
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}
