"use strict";
(() => {
  const run = JSON.parse(document.getElementById("run").textContent);
  const byId = (name) => document.getElementById(name);
  const panels = [byId("truth"), byId("prediction")].filter(Boolean);
  const last = run.times.length - 1;
  const [left, low, right, high] = run.bounds;
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  let frame = 0, playing = false, clock = 0, seen = 0;

  const shape = (sides, radius) => {
    const count = sides > 2 ? sides : 48;
    return Array.from({ length: count }, (_, i) => [
      radius * Math.cos((2 * Math.PI * i) / count), radius * Math.sin((2 * Math.PI * i) / count)]);
  };
  const boxes = run.boxes.map(([sides, radius]) => shape(sides, radius));
  const balls = run.shapes.map(([sides, radius]) => shape(sides, radius));

  const path = (pen, points, [x, y, angle]) => {
    const cos = Math.cos(angle), sin = Math.sin(angle);
    pen.beginPath();
    for (const [px, py] of points) pen.lineTo(x + cos * px - sin * py, y + sin * px + cos * py);
    pen.closePath();
  };

  const draw = (canvas, isPrediction) => {
    const size = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const pen = canvas.getContext("2d");
    const scale = size / Math.max(right - left, high - low);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, size, size);
    pen.setTransform(scale, 0, 0, -scale, size / 2 - scale * (left + right) / 2, size / 2 + scale * (low + high) / 2);
    const thin = 1.2 * devicePixelRatio / scale;
    pen.lineJoin = "round";
    pen.lineWidth = 2 * thin;
    pen.strokeStyle = color("--ink");
    run.containers[frame].forEach((pose, k) => { path(pen, boxes[k], pose); pen.stroke(); });
    run.shapes.forEach((_, k) => {
      const hue = run.colors[k];
      const way = isPrediction ? run.predicted : run.balls;
      pen.strokeStyle = hue;
      pen.globalAlpha = .55;
      pen.lineWidth = thin;
      pen.beginPath();
      let begun = false;
      for (let i = 0; i <= frame; i++) {
        const at = way[i][k];
        if (!at) { begun = false; continue; }
        if (begun) pen.lineTo(at[0], at[1]); else pen.moveTo(at[0], at[1]);
        begun = true;
      }
      pen.stroke();
      pen.globalAlpha = 1;
      const truth = run.balls[frame][k];
      if (isPrediction) {
        pen.setLineDash([3 * thin, 3 * thin]);
        pen.strokeStyle = color("--soft");
        path(pen, balls[k], truth);
        pen.stroke();
        pen.setLineDash([]);
      }
      const at = way[frame][k];
      if (!at) return;
      path(pen, balls[k], [at[0], at[1], truth[2]]);
      pen.fillStyle = hue;
      pen.globalAlpha = .8;
      pen.fill();
      pen.globalAlpha = 1;
      pen.strokeStyle = hue;
      pen.lineWidth = 1.5 * thin;
      pen.stroke();
    });
  };

  const show = () => {
    panels.forEach((canvas) => draw(canvas, canvas.id === "prediction"));
    byId("seek").value = frame;
    byId("count").textContent = `${run.times[frame].toFixed(2)} s`;
    const error = byId("error");
    if (error) {
      const off = run.predicted[frame].map((at, k) => {
        const truth = run.balls[frame][k];
        return at ? Math.hypot(at[0] - truth[0], at[1] - truth[1]) : NaN;
      });
      const mean = off.reduce((sum, value) => sum + value, 0) / off.length;
      error.textContent = Number.isNaN(mean) ? "no positions" : `off by ${mean.toFixed(1)} m`;
    }
  };
  const go = (to) => { frame = Math.max(0, Math.min(last, to)); clock = run.times[frame]; show(); };
  const setPlaying = (on) => {
    playing = on;
    document.body.classList.toggle("playing", on);
    byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
    if (!on) return;
    if (frame === last) go(0);
    seen = performance.now();
    requestAnimationFrame(tick);
  };
  const tick = (now) => {
    if (!playing) return;
    clock += ((now - seen) / 1000) * Number(byId("speed").value);
    seen = now;
    while (frame < last && run.times[frame + 1] <= clock) frame++;
    show();
    if (frame === last) setPlaying(false); else requestAnimationFrame(tick);
  };

  byId("play").addEventListener("click", () => setPlaying(!playing));
  byId("back").addEventListener("click", () => { setPlaying(false); go(frame - 1); });
  byId("next").addEventListener("click", () => { setPlaying(false); go(frame + 1); });
  byId("seek").addEventListener("input", (event) => { setPlaying(false); go(Number(event.target.value)); });
  document.addEventListener("keydown", (event) => {
    const speed = byId("speed");
    const does = {
      " ": () => setPlaying(!playing),
      ArrowLeft: () => { setPlaying(false); go(frame - 1); },
      ArrowRight: () => { setPlaying(false); go(frame + 1); },
      Home: () => go(0),
      End: () => go(last),
      "+": () => { speed.selectedIndex = Math.min(speed.options.length - 1, speed.selectedIndex + 1); },
      "-": () => { speed.selectedIndex = Math.max(0, speed.selectedIndex - 1); },
    }[event.key];
    if (!does || event.target.tagName === "SELECT") return;
    if (event.key === " " && event.target.tagName === "BUTTON") return;
    event.preventDefault();
    does();
  });
  addEventListener("resize", show);
  const asked = Number(location.hash.slice(1));
  go(Number.isInteger(asked) && asked > 0 ? asked : 0);
})();
