"use strict";
const plots = JSON.parse(document.getElementById("plots").textContent);
const shown = {};
const hidden = new Set();

function themed(value, key, colours) {
  if (Array.isArray(value)) return value.map((item) => themed(item, key, colours));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v, k, colours)]));
  }
  return /color$/.test(key) && colours[value] ? colours[value] : value;
}

function draw(name) {
  const style = getComputedStyle(document.documentElement);
  const colours = {};
  for (const word of ["ink", "pale", "line", "card"]) {
    colours["$" + word] = style.getPropertyValue("--" + word).trim();
  }
  const plot = themed(plots[name][shown[name]], "", colours);
  for (const trace of plot.data) {
    if (trace.meta !== undefined) trace.visible = !hidden.has(String(trace.meta));
  }
  plot.layout.font.family = getComputedStyle(document.body).fontFamily;
  plot.layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
  return Plotly.react("plot-" + name, plot.data, plot.layout, { responsive: true, displayModeBar: false, typesetMath: false });
}

function drawAll() {
  return Promise.all(Object.keys(shown).map(draw));
}

for (const place of document.querySelectorAll(".plot")) {
  const name = place.id.slice("plot-".length);
  const pressed = document.querySelector(`button[data-plot="${name}"][aria-pressed="true"]`);
  shown[name] = pressed ? pressed.dataset.view : Object.keys(plots[name])[0];
  place.textContent = "";
}
for (const button of document.querySelectorAll("button[data-plot]")) {
  button.addEventListener("click", () => {
    const { plot, view } = button.dataset;
    shown[plot] = view;
    for (const other of document.querySelectorAll(`button[data-plot="${plot}"]`)) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    draw(plot);
  });
}
for (const button of document.querySelectorAll("button[data-study]")) {
  button.addEventListener("click", () => {
    const study = button.dataset.study;
    if (!hidden.delete(study)) hidden.add(study);
    for (const other of document.querySelectorAll(`button[data-study="${study}"]`)) {
      other.setAttribute("aria-pressed", String(!hidden.has(study)));
    }
    drawAll();
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll().then(() => document.documentElement.setAttribute("data-drawn", "yes"));
