/*
 * Letters that can be read from three metres: five rows each. Only those that the verdicts need. Pure.
 */
const LETTERS: Readonly<Record<string, readonly string[]>> = {
  A: [" ### ", "#   #", "#####", "#   #", "#   #"],
  C: [" ####", "#    ", "#    ", "#    ", " ####"],
  D: ["#### ", "#   #", "#   #", "#   #", "#### "],
  E: ["#####", "#    ", "###  ", "#    ", "#####"],
  F: ["#####", "#    ", "###  ", "#    ", "#    "],
  I: [" ### ", "  #  ", "  #  ", "  #  ", " ### "],
  L: ["#    ", "#    ", "#    ", "#    ", "#####"],
  O: [" ### ", "#   #", "#   #", "#   #", " ### "],
  P: ["#### ", "#   #", "#### ", "#    ", "#    "],
  R: ["#### ", "#   #", "#### ", "#  # ", "#   #"],
  S: [" ####", "#    ", " ### ", "    #", "#### "],
  U: ["#   #", "#   #", "#   #", "#   #", " ### "],
  V: ["#   #", "#   #", " # # ", " # # ", "  #  "],
};

/** Rows of `#` and blanks, every letter as wide as two where there is room. @throws Error for a letter that is not there. */
export function bigWord(word: string, width: number): string[] {
  const letters = [...word].map((letter) => {
    const rows = LETTERS[letter];
    if (!rows) throw new Error(`there is no big letter ${letter}`);
    return rows;
  });
  const wide = word.length * 12 - 2 <= width;
  const stretch = (row: string) => (wide ? row.replace(/./g, "$&$&") : row);
  return [0, 1, 2, 3, 4].map((row) =>
    letters
      .map((rows) => stretch(rows[row] ?? ""))
      .join(wide ? "  " : " ")
      .trimEnd(),
  );
}
