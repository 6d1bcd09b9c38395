/*
 * Every text of the screens, in English and in Simplified Chinese; the messages of refusals and failures come
 * with `say`. Chinese has the type of English, so a text that is missing is a compile error. What comes from
 * outside is shown as it is. Owns: choosing the language.
 */
import { EN } from "./texts-en.ts";
import { ZH } from "./texts-zh.ts";

export type Language = "en" | "zh";
export type Texts = typeof EN;

const TEXTS: Readonly<Record<Language, Texts>> = { en: EN, zh: ZH };

export function textsOf(language: Language): Texts {
  return TEXTS[language];
}
