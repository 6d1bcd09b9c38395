/*
 * Every text of the screens, in English and in Simplified Chinese. Chinese has the type of English, so a text
 * that is missing is a compile error. What comes from outside, and the reasons of refusals and failures, are
 * shown as they are. Owns: choosing the language.
 */
import { EN } from "./texts-en.ts";
import { ZH } from "./texts-zh.ts";

export type Language = "en" | "zh";
export type Texts = typeof EN;

const TEXTS: Readonly<Record<Language, Texts>> = { en: EN, zh: ZH };

export function textsOf(language: Language): Texts {
  return TEXTS[language];
}
