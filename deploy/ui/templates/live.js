"use strict";
(() => {
  const main = document.getElementById("main");
  const clock = document.querySelector("footer time");
  const kept = { open: [], filter: "", kind: "" };
  let at = clock.textContent;
  const filter = () => {
    const field = document.getElementById("filter");
    if (!field) return;
    const wanted = field.value.toLowerCase(), kind = document.getElementById("kind").value;
    for (const row of document.querySelectorAll("#jobs tbody tr"))
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted)
        || (kind !== "" && row.dataset.kind !== kind);
  };
  main.addEventListener("input", filter);
  const source = new EventSource(location.pathname.replace(/\/$/, "") + "/live");
  source.onmessage = (event) => {
    const told = JSON.parse(event.data);
    if (told.trouble) {
      const reading = document.getElementById("reading");
      if (reading) reading.textContent = told.trouble;
      else clock.textContent = at + " · " + told.trouble;
      return;
    }
    clock.textContent = at = told.at;
    if (!told.html) return;
    kept.open = [...main.querySelectorAll("details")].map((one) => one.open);
    const field = document.getElementById("filter");
    kept.filter = field ? field.value : "";
    kept.kind = field ? document.getElementById("kind").value : "";
    const focused = document.activeElement && main.contains(document.activeElement)
      ? document.activeElement.id || document.activeElement.getAttribute("href") : null;
    main.innerHTML = told.html;
    main.querySelectorAll("details").forEach((one, index) => { one.open = kept.open[index] || false; });
    const again = document.getElementById("filter");
    if (again) {
      const kinds = document.getElementById("kind");
      again.value = kept.filter;
      kinds.value = kept.kind;
      if (kinds.selectedIndex < 0) kinds.value = "";
      filter();
    }
    if (focused) {
      const found = [...main.querySelectorAll("a, input, select, [id]")]
        .find((one) => one.id === focused || one.getAttribute("href") === focused);
      if (found) found.focus({ preventScroll: true });
    }
    if (told.over) source.close();
  };
})();
