"use strict";
(() => {
// Everything that is shown goes into the document as text: names of objects may be anything.
const widgets = {};
const make = (tag, properties, ...children) => {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
};
const number = (count) => count.toLocaleString("en");
// The words of a search: all of them must be there.
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
// Back and forth through pages of `size`; `go` is called with the first row.
const pager = (size, go) => {
  const back = make("button", { type: "button" }, "\u2039 Back");
  const next = make("button", { type: "button" }, "Next \u203a");
  const where = make("span", { class: "where" });
  let first = 0;
  back.addEventListener("click", () => go(Math.max(0, first - size)));
  next.addEventListener("click", () => go(first + size));
  return {
    bar: make("div", { class: "pager" }, back, where, next),
    show(at, total) {
      first = at;
      back.disabled = at === 0;
      next.disabled = at + size >= total;
      where.textContent = total ? `${number(at + 1)}\u2013${number(Math.min(total, at + size))} of ${number(total)}` : "none";
      back.hidden = next.hidden = total <= size;
    },
  };
};
