"use strict";
// The comforts of the page. Without them all of it can be read: nothing is made here but controls.

const root = document.documentElement;
const KEY = "dropout-bench-theme";
const LONG = 12; // rows; a longer table gets a field to search in

const all = (selector, from = document) => [...from.querySelectorAll(selector)];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Dark or light. A browser may forbid to keep anything: then the choice lasts as long as the page.

function kept() {
  try { return localStorage.getItem(KEY); } catch { return null; }
}

function keep(theme) {
  try { localStorage.setItem(KEY, theme); } catch { /* forbidden */ }
}

const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

root.classList.add("js");
if (["dark", "light"].includes(kept())) root.dataset.theme = kept(); // now, so that nothing flashes

function themeButton(button) {
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    keep(root.dataset.theme);
    name();
  });
  system.addEventListener("change", name);
  name();
}

// Contents: on a phone a list that folds out; the section that is read is marked.

function contents(button, nav) {
  const fold = (open) => {
    nav.classList.toggle("unfolded", open);
    button.setAttribute("aria-expanded", open);
  };
  button.addEventListener("click", () => fold(!nav.classList.contains("unfolded")));
  nav.addEventListener("click", (event) => { if (event.target.closest("a")) fold(false); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && nav.classList.contains("unfolded")) { fold(false); button.focus(); }
  });

  const links = all("a", nav);
  const headings = links.map((link) => document.getElementById(link.hash.slice(1)));
  let marked = null, waiting = false;
  const mark = () => {
    waiting = false;
    const over = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 4);
    const link = links[over.length - 1] ?? null;
    if (link === marked) return;
    marked?.removeAttribute("aria-current");
    link?.setAttribute("aria-current", "true");
    marked = link;
    const side = nav.parentElement; // scrolled by hand: scrollIntoView would move the page too
    if (link && side.scrollHeight > side.clientHeight) {
      side.scrollTop = link.offsetTop - side.clientHeight / 2;
    }
  };
  addEventListener("scroll", () => {
    if (!waiting) requestAnimationFrame(mark);
    waiting = true;
  }, { passive: true });
  mark();
}

// Folds: all at once, for printing, and wherever a link leads into one.

function folds(button) {
  const closed = () => all("details:not([open])");
  const name = () => { button.textContent = closed().length ? "Open all" : "Close all"; };
  const set = (those, open) => those.forEach((each) => { each.open = open; });
  button.hidden = !all("details").length;
  button.addEventListener("click", () => {
    const open = closed().length > 0;
    set(all("details"), open);
  });
  document.addEventListener("toggle", name, true);
  let opened = [];
  addEventListener("beforeprint", () => { opened = closed(); set(opened, true); });
  addEventListener("afterprint", () => set(opened, false));
}

function show(hash) {
  const target = document.getElementById(decodeURIComponent(hash.slice(1)));
  if (!target) return;
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
    fold.open = true;
  }
  target.closest("tr[hidden]")?.closest(".table").dispatchEvent(new Event("showall"));
  target.scrollIntoView();
}

// Tables: sort, search.

// What a cell is sorted by: a number with which it begins, else its words; null if it says nothing.
function keyOf(cell) {
  const text = cell.textContent.trim();
  const found = text.match(/^(?:at |about |[<>≤≥≈] ?)?([+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w.-])/i);
  if (found) return Number(found[1].replaceAll(",", "").replace("−", "-"));
  return /^[–—-]?$/.test(text) ? null : text;
}

function compare(one, other) {
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true });
}

function sortable(table) {
  const body = table.tBodies[0], written = [...body.rows];
  const headers = all("th[scope=col]", table.tHead);
  for (const header of headers) {
    const button = make("button", { type: "button" }, ...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "none" };
      const way = next[header.getAttribute("aria-sort")] ?? "ascending";
      headers.forEach((each) => each.removeAttribute("aria-sort"));
      if (way === "none") { body.append(...written); return; }
      header.setAttribute("aria-sort", way);
      const keyed = written.map((row) => [keyOf(row.cells[header.cellIndex]), row]);
      const said = keyed.filter(([key]) => key !== null);
      const sign = way === "ascending" ? 1 : -1;
      said.sort(([one], [other]) => sign * compare(one, other));
      const silent = keyed.filter(([key]) => key === null);
      body.append(...[...said, ...silent].map(([, row]) => row));
    });
  }
}

function searchable(box, table) {
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    verdict: row.querySelector("[data-verdict]")?.dataset.verdict,
  }));
  const count = make("output");
  const field = make("input", {
    type: "search", "aria-label": `Search in: ${box.ariaLabel}`, placeholder: "Search (press /)",
  });
  const verdicts = [...new Set(rows.map(({ verdict }) => verdict))].filter(Boolean);
  const buttons = verdicts.map((verdict) => make(
    "button",
    { type: "button", "data-verdict": verdict, "aria-pressed": false },
    `${verdict} ${rows.filter((each) => each.verdict === verdict).length}`,
  ));
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/);
    const pressed = buttons.filter((each) => each.ariaPressed === "true");
    const wanted = pressed.map((each) => each.dataset.verdict);
    for (const { row, text, verdict } of rows) {
      const fits = words.every((word) => text.includes(word));
      row.hidden = !fits || (wanted.length > 0 && !wanted.includes(verdict));
    }
    count.value = `${rows.filter(({ row }) => !row.hidden).length} of ${rows.length} rows`;
  };
  field.addEventListener("input", filter);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { field.value = ""; filter(); }
  });
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.ariaPressed = button.ariaPressed === "false";
      filter();
    });
  }
  box.addEventListener("showall", () => {
    field.value = "";
    buttons.forEach((each) => { each.ariaPressed = false; });
    filter();
  });
  box.before(make(
    "div",
    { class: "filter", role: "search", "aria-label": box.ariaLabel },
    ...(rows.length > LONG ? [field] : []), ...(buttons.length > 1 ? buttons : []), count,
  ));
  filter();
}

// What a table is called by who cannot see it: its fold, or its section.
function nameOf(box) {
  const over = all("h1, h2, h3").filter(
    (each) => each.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING,
  );
  return (box.closest("details")?.querySelector("summary") ?? over.at(-1))?.textContent ?? "Table";
}

function dress(box) {
  const table = box.querySelector("table");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", nameOf(box));
  const hasVerdicts = table.querySelector("[data-verdict]");
  if (hasVerdicts) {
    box.classList.add("cards");
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    for (const cell of all("td", table.tBodies[0])) cell.dataset.label = names[cell.cellIndex];
  }
  const rows = table.tBodies[0]?.rows.length ?? 0;
  const isList = all("th[scope=col]", table.tHead).length < 2; // names and what they are: no columns
  if (rows > 1 && !isList) sortable(table);
  if (hasVerdicts || (rows > LONG && !isList)) searchable(box, table);
  const fit = () => {
    const fits = table.offsetWidth <= box.offsetWidth;
    box.classList.toggle("fits", fits);
    box.tabIndex = fits ? -1 : 0; // a stop of the keyboard only where there is something to scroll
  };
  fit(); // before a link is followed: what scrolls by itself would forget where it was
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(box); // later: it changes the size
}

function searchByKey(event) {
  const typing = event.target.closest("input, textarea, select");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  const field = all("input[type=search]").find((each) => each.checkVisibility());
  if (!field) return;
  event.preventDefault();
  field.focus();
}

// Pictures: large, in a dialog; Escape closes it.

function enlarge() {
  const close = make("button", { type: "button" }, "Close");
  const dialog = make("dialog", {}, close);
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => { if (event.target.tagName !== "IMG") dialog.close(); });
  for (const image of all("figure img")) {
    const button = make("button", { type: "button", "aria-label": `Enlarge: ${image.alt}` });
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => {
      dialog.replaceChildren(close, image.cloneNode());
      dialog.setAttribute("aria-label", image.alt);
      dialog.showModal();
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const get = (id) => document.getElementById(id);
  themeButton(get("page-theme"));
  contents(get("page-unfold"), get("page-contents"));
  folds(get("page-open"));
  all(".table").forEach(dress);
  enlarge();
  document.addEventListener("keydown", searchByKey);
  addEventListener("hashchange", () => show(location.hash));
  document.addEventListener("click", (event) => { // also a link to where one is already
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) show(link.hash);
  });
  if (location.hash) show(location.hash);
});
