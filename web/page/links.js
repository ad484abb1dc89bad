/** The permanent link carries the rooms: `/#room=Lobby&room=Cave`, or `/?room=Lobby`. */

/** What the protocol takes. */
const ROOMS = 32;

/**
 * The rooms that a link names, each once.
 * @param {Pick<Location, "hash" | "search">} place
 * @returns {string[]}
 */
export function roomsIn({ hash, search }) {
  const named = [...new URLSearchParams(hash.slice(1)).getAll("room"), ...new URLSearchParams(search).getAll("room")];
  return [...new Set(named.map((room) => room.trim()).filter(Boolean))].slice(0, ROOMS);
}

/**
 * @param {readonly string[]} rooms
 * @param {Pick<Location, "origin" | "pathname">} place
 */
export function linkTo(rooms, { origin, pathname }) {
  const named = rooms.map((room) => `room=${encodeURIComponent(room)}`).join("&");
  return origin + pathname + (named && `#${named}`);
}

/**
 * Writes the rooms into the address without a step to go back to.
 * @param {readonly string[]} rooms
 */
export function showInAddress(rooms) {
  const link = linkTo(rooms, location);
  if (location.href !== link) history.replaceState(null, "", link);
}
