widgets.picture = (mount, data) => {
  const HEIGHT = 22, ROW = 30, READABLE = 0.8, STEP = 1.4;
  const { nodes, edges } = data;
  const lower = nodes.map((node) => node.l.toLowerCase());
  const around = nodes.map(() => []);
  for (const [a, b] of edges) { around[a].push(b); around[b].push(a); }
  let scale = 1, left = 0, top = 0, found = [], matches = new Set(), at = -1, chosen = -1, lit = null, waiting = false, touched = false;
  // Where nodes are drawn: as they came, or moved together if they are the only ones.
  let alone = false, rows = nodes.map((node) => node.y), height = data.height;

  const search = make("input", { type: "search", placeholder: "Search (Enter: next)", "aria-label": "Search the picture" });
  const count = make("span", { class: "count", role: "status" });
  const only = make("input", { type: "checkbox" });
  const button = (text, label, act) => make("button", { type: "button", "aria-label": label, onclick: act }, text);
  const canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": "Subjects, bindings, roles and rules. Arrow keys move, plus and minus zoom, 0 fits; the search names what it finds below." });
  const about = make("div", { class: "about", "aria-live": "polite" });
  const legend = make("span", { class: "legend" }, ...["subject", "binding", "role", "rule"].flatMap((name, k) =>
    nodes.some((node) => node.k === k) ? [make("span", { class: `key k${k}` }, name)] : []));
  mount.append(
    make("div", { class: "filters" }, search, make("label", {}, only, " only what is connected"),
      button("+", "Zoom in", () => zoomMiddle(STEP)), button("\u2212", "Zoom out", () => zoomMiddle(1 / STEP)),
      button("Fit", "Fit", () => { touched = true; fit(); }), button("Start", "Start", () => { touched = true; begin(); }), count, legend),
    make("div", { class: "view" }, canvas), about);
  const whole = document.body.classList.contains("whole");
  // A small picture needs no room for a large one.
  if (!whole) canvas.parentElement.style.height = `${Math.min(560, Math.max(180, data.height + 40))}px`;
  const context = canvas.getContext("2d");

  let colours = {};
  const readColours = () => {
    const style = getComputedStyle(mount), of = (name) => style.getPropertyValue(name).trim();
    colours = { kinds: [of("--k0"), of("--k1"), of("--k2"), of("--k3")], line: of("--line"), faint: of("--edge"),
      text: of("--text"), missing: of("--critical"), match: of("--match"), path: of("--link") };
  };
  // Everything towards subjects and everything towards rules, but not back again.
  const connected = (start) => {
    const all = new Set([start]);
    for (const up of [true, false]) {
      const open = [start];
      while (open.length) {
        const here = open.pop();
        for (const next of around[here]) {
          const onward = up ? nodes[next].k < nodes[here].k : nodes[next].k > nodes[here].k;
          if (onward && !all.has(next)) { all.add(next); open.push(next); }
        }
      }
    }
    return all;
  };
  const place = () => {
    alone = only.checked && lit !== null;
    rows = nodes.map((node) => node.y);
    height = data.height;
    if (!alone) return;
    const columns = [[], [], [], []];
    for (const i of lit) columns[nodes[i].k].push(i);
    const longest = Math.max(...columns.map((column) => column.length));
    height = longest * ROW + 20;
    for (const column of columns) {
      column.sort((a, b) => nodes[a].y - nodes[b].y);
      const above = (longest - column.length) * ROW / 2;
      column.forEach((i, row) => { rows[i] = 10 + above + row * ROW; });
    }
  };
  const draw = () => {
    waiting = false;
    const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, w, h);
    context.translate(left, top); context.scale(scale, scale);
    const x0 = -left / scale, y0 = -top / scale, x1 = x0 + w / scale, y1 = y0 + h / scale;
    const paths = [new Path2D(), new Path2D()];
    for (const [a, b] of edges) {
      const bright = lit && lit.has(a) && lit.has(b);
      if (alone && !bright) continue;
      const p = nodes[a], q = nodes[b];
      const ax = p.x + p.w, ay = rows[a] + HEIGHT / 2, bx = q.x, by = rows[b] + HEIGHT / 2;
      if (Math.max(ay, by) < y0 || Math.min(ay, by) > y1 || bx < x0 || ax > x1) continue;
      const path = paths[bright ? 1 : 0], middle = (ax + bx) / 2;
      path.moveTo(ax, ay);
      if (scale < 0.15) path.lineTo(bx, by); else path.bezierCurveTo(middle, ay, middle, by, bx, by);
    }
    context.lineWidth = 1 / Math.max(scale, 0.3);
    context.strokeStyle = colours.faint;
    context.globalAlpha = lit ? 0.4 : 1; context.stroke(paths[0]); context.globalAlpha = 1;
    context.strokeStyle = colours.path; context.stroke(paths[1]);
    context.font = "11px ui-monospace, monospace"; context.textBaseline = "middle";
    let drawn = 0;
    nodes.forEach((node, i) => {
      const y = rows[i];
      if (node.x + node.w < x0 || node.x > x1 || y + HEIGHT < y0 || y > y1) return;
      const dim = lit && !lit.has(i), match = matches.has(i);
      if (alone && dim) return;
      drawn += 1;
      context.globalAlpha = dim && !match ? 0.35 : 1;
      context.fillStyle = match ? colours.match : colours.kinds[node.k];
      context.fillRect(node.x, y, node.w, HEIGHT);
      context.strokeStyle = node.m ? colours.missing : colours.line;
      context.lineWidth = i === chosen ? 3 : 1;
      context.setLineDash(node.m ? [4, 3] : []);
      context.strokeRect(node.x, y, node.w, HEIGHT);
      context.setLineDash([]);
      if (scale > 0.35) {
        context.fillStyle = colours.text;
        const text = [...node.l];
        context.fillText(text.length > 60 ? text.slice(0, 59).join("") + "\u2026" : node.l, node.x + 8, y + HEIGHT / 2);
      }
      context.globalAlpha = 1;
    });
    canvas.dataset.scale = scale.toFixed(4);
    canvas.dataset.drawn = String(drawn);
  };
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  const zoom = (factor, x, y) => {
    const next = Math.min(4, Math.max(0.01, scale * factor));
    left = x - (x - left) * next / scale; top = y - (y - top) * next / scale; scale = next; touched = true;
    redraw();
  };
  const zoomMiddle = (factor) => zoom(factor, canvas.clientWidth / 2, canvas.clientHeight / 2);
  const fit = () => {
    const w = canvas.clientWidth, h = canvas.clientHeight;
    scale = Math.min(1, w / Math.max(1, data.width), h / Math.max(1, height));
    left = (w - data.width * scale) / 2; top = (h - height * scale) / 2;
    redraw();
  };
  // What is first seen can be read: the whole width if that can, from the top.
  const begin = () => {
    fit();
    if (scale >= 0.4) return;
    scale = Math.min(1, Math.max(0.4, canvas.clientWidth / Math.max(1, data.width)));
    left = Math.max(0, (canvas.clientWidth - data.width * scale) / 2); top = 0;
    redraw();
  };
  const link = (i) => make("button", { type: "button", class: "node", onclick: () => show(i) }, nodes[i].l);
  const choose = (i) => {
    chosen = i; lit = i < 0 ? null : connected(i);
    place();
    canvas.dataset.chosen = String(i);
    about.textContent = "";
    if (i >= 0) {
      const node = nodes[i], MOST = 50;
      about.append(make("strong", {}, node.l), node.m ? " (does not exist)" : "", node.s ? ` ${node.s}` : "");
      if (around[i].length) about.append(make("div", { class: "neighbours" }, "connected to ", ...around[i].slice(0, MOST).map(link),
        around[i].length > MOST ? ` and ${number(around[i].length - MOST)} more` : ""));
    }
    redraw();
  };
  const show = (i) => {
    const node = nodes[i];
    touched = true;
    choose(i);
    if (alone) { begin(); return; }
    scale = Math.max(scale, READABLE);
    left = canvas.clientWidth / 2 - (node.x + node.w / 2) * scale;
    top = canvas.clientHeight / 2 - (rows[i] + HEIGHT / 2) * scale;
    redraw();
  };
  const tell = () => {
    count.textContent = found.length ? `${number(at + 1)} of ${number(found.length)}` : search.value.trim() ? "nothing found"
      : `${number(nodes.length)} nodes, ${number(edges.length)} edges`;
  };
  search.addEventListener("input", () => {
    const words = wordsOf(search.value);
    found = words.length ? nodes.flatMap((node, i) => words.every((word) => lower[i].includes(word)) ? [i] : []) : [];
    matches = new Set(found);
    at = found.length ? 0 : -1;
    tell();
    if (at >= 0) show(found[at]); else choose(-1);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && found.length) {
      at = (at + (event.shiftKey ? found.length - 1 : 1)) % found.length; tell(); show(found[at]);
    }
  });
  only.addEventListener("change", () => {
    place();
    if (alone) begin(); else if (chosen >= 0) show(chosen); else redraw();
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (moves[event.key]) { left += moves[event.key][0]; top += moves[event.key][1]; redraw(); }
    else if (event.key === "+" || event.key === "=") zoomMiddle(STEP);
    else if (event.key === "-") zoomMiddle(1 / STEP);
    else if (event.key === "0") fit();
    else if (event.key === "Escape") choose(-1);
    else return;
    event.preventDefault();
  });
  // Within a longer page the wheel turns the page, unless the picture was asked for.
  canvas.addEventListener("wheel", (event) => {
    if (!whole && !event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }, { passive: false });
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = { x: event.offsetX, y: event.offsetY, moved: false }; canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const dx = event.offsetX - held.x, dy = event.offsetY - held.y;
    if (Math.abs(dx) + Math.abs(dy) > 3) held.moved = true;
    if (held.moved) { touched = true; left += dx; top += dy; held.x = event.offsetX; held.y = event.offsetY; redraw(); }
  });
  canvas.addEventListener("pointerup", (event) => {
    const click = held && !held.moved; held = null;
    if (!click) return;
    const x = (event.offsetX - left) / scale, y = (event.offsetY - top) / scale;
    choose(nodes.findIndex((n, i) => x >= n.x && x <= n.x + n.w && !(alone && !lit.has(i)) && y >= rows[i] && y <= rows[i] + HEIGHT));
  });
  canvas.addEventListener("pointercancel", () => { held = null; });
  new ResizeObserver(() => { if (touched) redraw(); else begin(); }).observe(canvas);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    window.matchMedia(query).addEventListener("change", () => { readColours(); draw(); });
  }
  readColours(); tell(); begin();
  return { choose() {} };
};
