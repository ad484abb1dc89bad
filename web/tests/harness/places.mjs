/** Where things are. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
export const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
/** The program under test. */
export const program = process.env.CONSONANCE ?? join(target, "debug/consonance");
/** Sound that tests leave behind to be listened to. */
export const sounds = join(target, "web-tests");

/** Clips 1 to 8: speech. */
export const clip = (number) => join(root, `clips/voice-${number}.wav`);
