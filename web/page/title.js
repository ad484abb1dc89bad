/** The title of the page's tab: where one is, and how much there is to read. */

let place = "";
let unread = 0;

/** @param {string} words where one is; nothing at the door */
export function titlePlace(words) {
  place = words;
  write();
}

/** @param {number} count */
export function titleUnread(count) {
  unread = count;
  write();
}

function write() {
  const title = `${unread ? `(${unread}) ` : ""}${place && `${place} · `}Consonance`;
  if (document.title !== title) document.title = title;
}
