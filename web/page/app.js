/** The session that there is now. Views ask here each time, so that none holds on to one that is over. */

/** @import { State, Voice } from "../consonance.js" */

export const app = {
  /** @type {Voice | null} */
  voice: null,
  /** @type {State | null} */
  state: null,
  /** What the binding last said about a connection that isn't there. */
  trouble: "",
  /** How people's names are shown, by id. @type {ReadonlyMap<number, string>} */
  names: new Map(),
};

/** Whether one is in the talk with a connection, be it a bad one. */
export const isConnected = () => app.state?.status === "connected" || app.state?.status === "degraded";

/**
 * @param {number} id
 * @param {string} [otherwise]
 */
export const nameOf = (id, otherwise = "somebody") => app.names.get(id) ?? otherwise;
