/*
 * The version of zshield itself; its one home is package.json.
 */
import description from "../package.json";

export const VERSION: string = description.version;
