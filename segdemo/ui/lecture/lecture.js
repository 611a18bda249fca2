// The lecture's dialog, and the way from a topic to its place on the page.

const PATIENCE = 100;  // looks at the page, a tenth of a second apart: a tab that was never open is built first

const isShown = (node) => node && node.getClientRects().length > 0;

const tabOf = (name) => [...document.querySelectorAll("[role=tab]")].find((tab) => isShown(tab) && tab.textContent.trim() === name);

const once = (find, then, tries = PATIENCE) => {
  const found = find();
  if (found) then(found); else if (tries) setTimeout(() => once(find, then, tries - 1), 100);
};

// What was closed opens, and stands at the window's head with a ring around it.
const arrive = (place) => {
  const head = place.querySelector(":scope > button.label-wrap, :scope > div > button.label-wrap");
  if (head && !head.classList.contains("open")) head.click();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const block = place.getBoundingClientRect().height < innerHeight * .8 && !head ? "center" : "start";
  requestAnimationFrame(() => place.scrollIntoView({ block, behavior: calm ? "auto" : "smooth" }));
  place.classList.add("arrived");
  setTimeout(() => place.classList.remove("arrived"), 2500);
};

const go = (tab, id) => {
  once(() => tabOf(tab), (button) => {
    if (button.getAttribute("aria-selected") !== "true") button.click();
    once(() => { const place = document.getElementById(id); return isShown(place) && place; }, arrive);
  });
};

const touched = new Set();  // places that were opened or closed, by whomever, in the order of the last time
document.addEventListener("click", (event) => {
  const head = event.target.closest?.("button.label-wrap"), id = head && head.closest("[id]").id;
  if (!id) return;
  touched.delete(id);
  touched.add(id);
}, true);

window.segdemoLecture = {
  go,

  // The one of the places ``ids`` that was opened last of those that are open and in the tab in view; or "".
  opened(ids) {
    const isOpen = (place) => isShown(place) && place.querySelector("button.label-wrap.open");
    return [...touched].reverse().find((id) => ids.includes(id) && isOpen(document.getElementById(id))) || "";
  },

  mount(root, props, trigger) {
    const dialog = root.querySelector("dialog");
    root.querySelector(".lecture-open").addEventListener("click", () => {
      dialog.showModal();
      for (const part of [dialog, ...dialog.querySelectorAll("*")]) part.scrollTop = 0;  // from the beginning
    });
    root.querySelector(".lecture-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();  // beside its contents
      const way = event.target.closest("[data-place]");
      if (!way) return;
      dialog.close();
      const networks = JSON.parse(way.dataset.networks);
      if (networks.length) { props.value = { networks, turn: (props.value?.turn || 0) + 1 }; trigger("select"); }
      go(way.dataset.tab, way.dataset.place);
    });
  },
};
