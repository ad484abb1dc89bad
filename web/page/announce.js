/** Short words that pass: for eyes as a slip at the edge, for screen readers as a status. */

import { make, part } from "./dom.js";

const SHOWN_MS = 6_000;
const AT_ONCE = 3;

/** @param {string} words */
export function toast(words) {
  const toasts = part("toasts");
  if ([...toasts.children].some(({ textContent }) => textContent === words)) return;
  const slip = make("p", { class: "toast", text: words });
  toasts.append(slip);
  while (toasts.children.length > AT_ONCE) toasts.firstElementChild?.remove();
  setTimeout(() => slip.remove(), SHOWN_MS);
}

export function clearToasts() {
  part("toasts").replaceChildren();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let pending;
const unseen = make("p", { class: "unseen", role: "status" });
document.body.append(unseen);

/**
 * For screen readers alone, and only the last of several in a row.
 * @param {string} words
 */
export function tell(words) {
  clearTimeout(pending);
  pending = setTimeout(() => { unseen.textContent = words; }, 400);
}
