/*
 * The script of the page: a heading sorts, an arrow shows a box's tests. As text, since it runs in a browser; it
 * may hold no end of a script element.
 */
export const SCRIPT = `"use strict";
(() => {
  const table = document.getElementById("boxes");
  if (!table) return;
  const collator = new Intl.Collator("en", { numeric: true });
  const headings = [...table.tHead.rows[0].cells];

  const valueOf = (body, column) => {
    const cell = body.rows[0].cells[column];
    return (cell.dataset.value ?? cell.textContent).trim();
  };
  const compare = (one, other) => collator.compare(one, other);
  const byNumber = (one, other) => Number(one) - Number(other);

  const sort = (column) => {
    const heading = headings[column];
    const way = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const order = heading.classList.contains("number") ? byNumber : compare;
    const bodies = [...table.tBodies].map((body) => ({ body, value: valueOf(body, column) }));
    // What is not there comes last, whichever way.
    bodies.sort((a, b) =>
      (a.value === "") - (b.value === "") || way * order(a.value, b.value));
    for (const each of headings) each.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    table.append(...bodies.map(({ body }) => body));
  };
  headings.forEach((heading, column) =>
    heading.querySelector("button").addEventListener("click", () => sort(column)));

  const show = (body, open) => {
    body.rows[0].querySelector("button.more").setAttribute("aria-expanded", String(open));
    body.rows[1].hidden = !open;
  };
  table.addEventListener("click", ({ target }) => {
    const button = target.closest("button.more");
    if (button) show(button.closest("tbody"), button.getAttribute("aria-expanded") !== "true");
  });

  const showNamed = () => {
    const body = document.getElementById(location.hash.slice(1));
    if (body?.parentNode === table) show(body, true);
  };
  addEventListener("hashchange", showNamed);
  showNamed();
})();
`;
