"use strict";
// Shows the values nearest to the pointer. Without it the charts are complete; it only reads them out.
document.querySelectorAll("svg[data-curves]").forEach(function (svg) {
  var curves = JSON.parse(svg.getAttribute("data-curves"));
  var figure = svg.closest("figure");
  var cursor = svg.querySelector(".cursor");
  var tip = null;

  function nearest(points, x) {
    return points.reduce(function (best, point) {
      return Math.abs(best[0] - x) > Math.abs(point[0] - x) ? point : best;
    });
  }

  function line(parent, text, name) {
    var row = document.createElement("div");
    if (name) {
      var strong = document.createElement("b");
      strong.className = name.k;
      strong.textContent = text + " ";
      row.append(strong, name.n);
    } else {
      row.textContent = text;
    }
    parent.append(row);
  }

  function hide() {
    cursor.style.visibility = "hidden";
    if (tip) { tip.remove(); }
    tip = null;
  }

  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", function (event) {
    hide();
    var box = svg.getBoundingClientRect();
    var scale = svg.viewBox.baseVal.width / box.width;
    var x = (event.clientX - box.left) * scale;
    var y = (event.clientY - box.top) * scale;
    var found = curves.filter(function (curve) { return curve.p.length > 0; }).map(function (curve) {
      return { curve: curve, point: nearest(curve.p, x) };
    });
    if (found.length === 0) { return; }
    var at = nearest(found.map(function (f) { return f.point; }), x);
    found = found.filter(function (f) { return 12 > Math.abs(f.point[0] - at[0]); });
    found.sort(function (a, b) { return Math.abs(a.point[1] - y) - Math.abs(b.point[1] - y); });
    cursor.setAttribute("x1", at[0]);
    cursor.setAttribute("x2", at[0]);
    cursor.style.visibility = "visible";
    tip = document.createElement("div");
    tip.className = "tip";
    line(tip, at[2]);
    found.slice(0, 8).sort(function (a, b) { return a.point[1] - b.point[1]; }).forEach(function (f) { line(tip, f.point[3], f.curve); });
    figure.append(tip);
    var outer = figure.getBoundingClientRect();
    var left = event.clientX - outer.left + 16;
    if (left + tip.offsetWidth > outer.width) { left = event.clientX - outer.left - tip.offsetWidth - 16; }
    tip.style.left = Math.max(0, left) + "px";
    tip.style.top = Math.max(0, event.clientY - outer.top - tip.offsetHeight - 12) + "px";
  });
});
window.addEventListener("beforeprint", function () {
  document.querySelectorAll("details").forEach(function (part) { part.open = true; });
});
