const data = JSON.parse(document.getElementById("data").textContent);
const shown = new Map();
for (const mount of document.querySelectorAll("[data-widget]")) {
  const id = mount.dataset.id;
  mount.textContent = "";
  shown.set(id, widgets[mount.dataset.widget](mount, data[id], id));
}
// Links that choose rows of a list further down.
for (const link of document.querySelectorAll("a[data-list]")) {
  link.addEventListener("click", () => {
    const list = shown.get(link.dataset.list);
    if (list) list.choose(link.dataset.column, link.dataset.value);
  });
}
// On paper everything is open.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
document.documentElement.dataset.ready = "yes";
})();
