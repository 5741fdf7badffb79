widgets.matrix = (mount, { verbs, resources, chosen, profiles, rows }) => {
  const SIZE = 50, WIDEST = 16, USUAL = 8;
  const LETTERS = ["g", "l", "w", "c", "u", "p", "d", "D"];
  const byResource = profiles.map((cells) => new Map(cells.map(([at, yes, named]) => [at, [yes, named]])));
  const lower = rows.map((row) => `${row.k} ${row.n} ${row.s} ${row.b.join(" ")}`.toLowerCase());
  const names = resources.map((name) => name.toLowerCase());
  let found = [], seen = chosen, first = 0;

  const who = make("input", { type: "search", placeholder: "Subject, namespace or binding", "aria-label": "Search subjects" });
  const what = make("input", { type: "search", placeholder: "Resource, such as secrets", "aria-label": "Search resources" });
  const kind = make("select", { "aria-label": "Kind of subject" }, make("option", { value: "" }, "Subjects: all"),
    ...["User", "Group", "ServiceAccount"].map((name) => make("option", { value: name }, name)));
  const given = make("input", { type: "checkbox" });
  const count = make("span", { class: "count", role: "status" });
  const head = make("tr"), body = make("tbody");
  const pages = pager(SIZE, (at) => { first = at; draw(); });
  mount.append(
    make("div", { class: "filters" }, who, kind, what, make("label", {}, given, " also what every cluster has"), count),
    make("p", { class: "faint" }, "g get, l list, w watch, c create, u update, p patch, d delete, D deletecollection; "
      + "in brackets: only objects of certain names. Rows open into everything that the subject may do."),
    make("div", { class: "scroll" }, make("table", { class: "matrix" }, make("thead", {}, head), body)),
    pages.bar,
  );

  const listed = (bits) => verbs.filter((verb, at) => bits >> at & 1);
  const short = (bits) => {
    const usual = LETTERS.filter((letter, at) => bits >> at & 1).join("");
    const special = verbs.filter((verb, at) => at >= USUAL && bits >> at & 1);
    const all = (bits & 255) === 255 ? "all" : usual;
    return special.length === verbs.length - USUAL ? all : [all, ...special].filter(Boolean).join(" ");
  };
  function cell(row, at) {
    const [yes, named] = byResource[row.p].get(at) || [0, 0];
    const only = named & ~yes;
    const text = short(yes) + (only ? ` (${short(only)})` : "");
    // Whoever may write may do more harm than who may read.
    const level = (yes | only) >> 3 ? "write" : yes | only ? "read" : "";
    const title = [listed(yes).join(", "), only ? `by name: ${listed(only).join(", ")}` : ""].filter(Boolean).join("; ");
    return make("td", { class: `verbs ${level}`, title }, text);
  }
  function detail(row) {
    const groups = new Map();
    for (const [at, yes, named] of profiles[row.p]) {
      const only = named & ~yes;
      const text = [listed(yes).join(", "), only ? `by name: ${listed(only).join(", ")}` : ""].filter(Boolean).join("; ");
      if (!groups.has(text)) groups.set(text, []);
      groups.get(text).push(resources[at]);
    }
    const list = make("dl");
    for (const [text, held] of groups) list.append(make("dt", {}, text), make("dd", { class: "code" }, held.join(", ")));
    list.append(make("dt", {}, "Given by"), make("dd", { class: "code" }, row.b.join(", ")));
    return make("tr", { class: "detail" }, make("td", { colspan: seen.length + 2 }, list));
  }
  function select() {
    const words = wordsOf(who.value), wanted = wordsOf(what.value);
    seen = wanted.length
      ? resources.flatMap((name, at) => wanted.some((word) => names[at].includes(word)) ? [at] : [])
      : chosen;
    const all = rows.flatMap((row, at) => (given.checked || !row.g) && (!kind.value || row.k === kind.value)
      && words.every((word) => lower[at].includes(word)) ? [at] : []);
    // Whoever asks for a resource wants those who may do something with it.
    found = wanted.length ? all.filter((at) => seen.some((resource) => byResource[rows[at].p].has(resource))) : all;
    seen = seen.slice(0, WIDEST);
    first = 0;
    draw();
  }
  function draw() {
    head.replaceChildren(make("th", { scope: "col" }, "Subject"), make("th", { scope: "col" }, "Namespace"),
      ...seen.map((at) => make("th", { scope: "col", class: "code" },
        ...resources[at].split(/(?<=[./])/).flatMap((part, n) => n ? [make("wbr"), part] : [part]))));
    body.replaceChildren(...found.slice(first, first + SIZE).map((at) => {
      const row = rows[at];
      const button = make("button", { type: "button", class: "open", "aria-expanded": "false", "aria-label": "Details" });
      const line = make("tr", { class: "opens" },
        make("th", { scope: "row" }, button, make("span", { class: "faint" }, `${row.k} `), make("bdi", {}, row.n)),
        make("td", {}, row.s || "*"), ...seen.map((resource) => cell(row, resource)));
      line.addEventListener("click", () => {
        if (String(window.getSelection())) return;
        const open = button.getAttribute("aria-expanded") === "true";
        button.setAttribute("aria-expanded", String(!open));
        if (open) line.nextSibling.remove(); else line.after(detail(row));
      });
      return line;
    }));
    pages.show(first, found.length);
    count.textContent = `${number(found.length)} of ${number(rows.length)} subjects`;
  }
  for (const input of [who, what]) input.addEventListener("input", select);
  for (const input of [kind, given]) input.addEventListener("change", select);
  select();
  return { choose() {} };
};
