import { en } from './en.js';
import { language } from './formats.js';

/** All that the page says, in the viewer's language. @type {typeof en} */
export const texts = language === 'de' ? await import('./de.js').then(({ de }) => de, () => en) : en;

/**
 * Puts the texts of index.html, which are English, into the viewer's language: data-text="name" is for what an element
 * says, data-label="name" for its aria-label.
 */
export function translatePage() {
  document.querySelector(`a[hreflang="${language}"]`)?.setAttribute('aria-current', 'true');
  if (language === 'en') return;
  document.documentElement.lang = language;
  document.title = texts.title;
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = texts[element.dataset.text];
  for (const element of document.querySelectorAll('[data-label]')) element.ariaLabel = texts[element.dataset.label];
}
