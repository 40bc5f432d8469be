/* The search: the sections that have all words of the query, best first. It reads SEARCH_INDEX of
   search_index.js, which has [page, anchor, title, page's title, text] for each section, so that it
   works without a server. `/` moves to it, Enter opens the first result, Escape empties it.
   An address can have the query: index.html?search=WORDS */
"use strict";

const MOST = 20; // results shown
const AROUND = 60; // characters of the text before and after the first match
const field = document.getElementById("search");
const results = document.getElementById("results");
const up = document.documentElement.dataset.up;

/* How well a section fits; 0 if a word is missing. */
function score([, , title, , text], words) {
  const head = title.toLowerCase();
  const body = text.toLowerCase();
  let sum = 0;
  for (const word of words) {
    if (head === word || head.startsWith(word + "/")) sum += 20;
    else if (head.includes(word)) sum += 10;
    else if (body.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
}

function find(words) {
  return SEARCH_INDEX.map((section) => [score(section, words), section])
    .filter(([points]) => points > 0)
    .sort(([a], [b]) => b - a)
    .map(([, section]) => section);
}

function excerpt(text, words) {
  const places = words.map((word) => text.toLowerCase().indexOf(word)).filter((at) => at >= 0);
  const start = Math.max(0, Math.min(...places, text.length) - AROUND);
  return (start ? "..." : "") + text.slice(places.length ? start : 0).slice(0, 2 * AROUND);
}

function element(name, text, children = []) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

function item([page, anchor, title, pageTitle, text], words) {
  const link = element("a", title);
  link.href = up + page + (anchor ? "#" + anchor : "");
  const where = title === pageTitle ? [] : [element("small", " " + pageTitle)];
  return element("li", "", [link, ...where, element("p", excerpt(text, words))]);
}

function show() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? find(words) : [];
  const items = found.slice(0, MOST).map((section) => item(section, words));
  const count = found.length ? `Sections found: ${found.length}` : "Nothing found";
  results.replaceChildren(
    ...(words.length ? [element("p", count), element("ul", "", items)] : []),
  );
}

field.addEventListener("input", show);
field.form.addEventListener("submit", (event) => {
  event.preventDefault();
  results.querySelector("a")?.click();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== field) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "Escape") {
    field.value = "";
    show();
  }
});
field.value = new URLSearchParams(location.search).get("search") ?? "";
show();
results.addEventListener("click", () => {
  field.value = "";
  show();
});
