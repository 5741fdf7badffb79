widgets.table = (mount, { columns, strings, rows }, id) => {
  const SIZE = 100;
  const RANK = ["info", "restricted", "low", "medium", "baseline", "high", "critical", "privileged"];
  const shownColumns = columns.map((column, at) => ({ ...column, at })).filter((column) => !column.detail);
  const details = columns.map((column, at) => ({ ...column, at })).filter((column) => column.detail);
  const lower = strings.map((text) => text.toLowerCase());
  let found = rows, first = 0, sorted = -1, downward = false;

  const search = make("input", { type: "search", placeholder: "Search", "aria-label": `Search ${id}` });
  const count = make("span", { class: "count", role: "status" });
  const clear = make("button", { type: "button" }, "Clear");
  const filters = columns.flatMap((column, at) => {
    if (!column.filter) return [];
    const counts = new Map();
    for (const row of rows) counts.set(row[at], (counts.get(row[at]) || 0) + 1);
    if (counts.size < 2) return [];
    const values = [...counts].sort((a, b) => compare(column, a[0], b[0]));
    if (column.form === "level") values.reverse();
    const select = make("select", { "aria-label": column.title, "data-column": column.title },
      make("option", { value: "" }, `${column.title}: all`),
      ...values.map(([value, many]) => make("option", { value }, `${strings[value] || "(none)"} (${number(many)})`)));
    return [{ at, select, title: column.title }];
  });
  const pages = pager(SIZE, (at) => { first = at; draw(); });
  const head = make("tr", {}, ...shownColumns.map((column) => {
    const button = make("button", { type: "button", onclick: () => sort(column) }, column.title);
    return make("th", { scope: "col", class: column.form }, button);
  }));
  const body = make("tbody");
  mount.append(
    make("div", { class: "filters" }, search, ...filters.map((filter) => filter.select), clear, count),
    make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), body)),
    pages.bar,
  );

  function compare(column, a, b) {
    const x = strings[a], y = strings[b];
    if (column.form === "level") return RANK.indexOf(x) - RANK.indexOf(y) || (x < y ? -1 : x > y ? 1 : 0);
    if (column.form === "number") return Number(x) - Number(y);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  function sort(column) {
    downward = sorted === column.at ? !downward : column.form === "level";
    sorted = column.at;
    [...head.children].forEach((cell, at) => {
      if (shownColumns[at].at === sorted) cell.setAttribute("aria-sort", downward ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    select();
  }
  function select() {
    const words = wordsOf(search.value);
    const chosen = filters.filter((filter) => filter.select.value !== "").map((filter) => [filter.at, Number(filter.select.value)]);
    // Each text is searched once, however many rows it stands in.
    const has = words.map((word) => lower.map((text) => text.includes(word)));
    found = rows.filter((row) => chosen.every(([at, value]) => row[at] === value)
      && has.every((fits) => row.some((cell) => fits[cell])));
    if (sorted >= 0) {
      const column = columns[sorted], sign = downward ? -1 : 1;
      found = [...found].sort((a, b) => sign * compare(column, a[sorted], b[sorted]));
    }
    first = 0;
    draw();
  }
  function cell(column, row) {
    const text = strings[row[column.at]];
    const inner = column.form === "level" ? make("span", { class: `badge ${text.replace(/[^a-z]/g, "")}` }, text) : text;
    const state = column.form === "access" ? ` ${text === "yes" ? "yes" : text === "names" ? "names" : ""}` : "";
    return make("td", { class: column.form + state }, inner);
  }
  function detail(row) {
    const list = make("dl");
    for (const column of details) {
      const text = strings[row[column.at]];
      if (!text) continue;
      list.append(make("dt", {}, column.title),
        make("dd", { class: column.form }, column.form === "source" ? make("pre", {}, text) : text));
    }
    return make("tr", { class: "detail" }, make("td", { colspan: shownColumns.length }, list));
  }
  function draw() {
    const lines = [];
    for (const row of found.slice(first, first + SIZE)) {
      const line = make("tr", {}, ...shownColumns.map((column) => cell(column, row)));
      if (details.length) {
        const button = make("button", { type: "button", class: "open", "aria-expanded": "false", "aria-label": "Details" });
        line.firstChild.prepend(button);
        line.className = "opens";
        line.addEventListener("click", () => {
          if (String(window.getSelection())) return;
          const open = button.getAttribute("aria-expanded") === "true";
          button.setAttribute("aria-expanded", String(!open));
          if (open) line.nextSibling.remove(); else line.after(detail(row));
        });
      }
      lines.push(line);
    }
    body.replaceChildren(...lines);
    pages.show(first, found.length);
    count.textContent = found.length === rows.length ? number(rows.length) : `${number(found.length)} of ${number(rows.length)}`;
  }
  search.addEventListener("input", select);
  for (const filter of filters) filter.select.addEventListener("change", select);
  const reset = () => { search.value = ""; for (const filter of filters) filter.select.value = ""; };
  clear.addEventListener("click", () => { reset(); select(); });
  draw();
  return {
    choose(title, text) {
      reset();
      const filter = filters.find((each) => each.title === title);
      if (filter) filter.select.value = String(strings.indexOf(text));
      select();
    },
  };
};
