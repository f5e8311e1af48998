"use strict";
// Plays the run in #run. Everything that is shown is a function of one number, the step.
(() => {
  const $ = (id) => document.getElementById(id);
  const run = JSON.parse($("run").textContent);
  const last = run.steps.length - 1;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const rates = [...$("speed").options].map((option) => Number(option.value));
  const firstVisit = new Map();
  run.steps.forEach(({ id }, index) => id && !firstVisit.has(id) && firstVisit.set(id, index));
  const SHOWN_FRONT = 60, SHOWN_BACK = 6; // cells of a long tape that are drawn
  let now = 0, timer = null, flight = null;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  };

  // The tape on arrival at a step; after the last step, what the run left.
  const tapeOf = (step) => [run.steps[step].front, run.steps[step].back];

  function drawTape(step) {
    const [front, back] = tapeOf(step);
    const before = step > 0 ? tapeOf(step - 1) : [front, back];
    const cells = [];
    if (before[0] < front) cells.push(element("span", `cell gone ${run.belt[front - 1]}`, run.belt[front - 1]));
    const add = (index) => {
      const symbol = run.belt[index];
      const made = element("span", "RBYG".includes(symbol) ? `cell ${symbol}` : "cell", symbol);
      if (index === front) made.classList.add("front");
      if (index >= before[1]) made.classList.add("painted");
      cells.push(made);
    };
    const cut = back - front > SHOWN_FRONT + SHOWN_BACK;
    for (let index = front; index < (cut ? front + SHOWN_FRONT : back); index++) add(index);
    if (cut) {
      cells.push(element("span", "more", `\u2026 ${back - front - SHOWN_FRONT - SHOWN_BACK} more \u2026`));
      for (let index = back - SHOWN_BACK; index < back; index++) add(index);
    }
    if (front === back) cells.push(element("span", "empty", "empty"));
    $("cells").replaceChildren(...cells);
    $("cells").setAttribute("aria-label", `Tape: ${run.belt.slice(front, Math.min(back, front + 200)) || "empty"}`);
    $("length").textContent = `${back - front} symbol${back - front === 1 ? "" : "s"}`;
  }

  function drawGraph(step) {
    for (const old of document.querySelectorAll("#graph .now")) old.classList.remove("now", "accepted", "rejected");
    const node = run.steps[step].id && $(run.steps[step].id);
    const edge = step > 0 && run.steps[step - 1].edge && $(run.steps[step - 1].edge);
    if (edge) {
      edge.classList.add("now");
      if (!node) edge.classList.add("rejected"); // it leads nowhere
      edge.parentNode.insertBefore(edge, edge.parentNode.querySelector(".chips, .node")); // above other lines
    }
    for (const [id, first] of firstVisit) $(id).classList.toggle("seen", first <= step);
    if (node) {
      node.classList.add("now");
      if (step === last) node.classList.add(run.accepted ? "accepted" : "rejected");
    }
    follow(node || edge);
    return edge;
  }

  // Scroll the graph, never the page.
  function follow(target) {
    if (!target) return;
    const box = $("graph"), seen = box.getBoundingClientRect(), wanted = target.getBoundingClientRect();
    box.scrollTo({
      left: box.scrollLeft + wanted.left + wanted.width / 2 - seen.left - seen.width / 2,
      top: box.scrollTop + wanted.top + wanted.height / 2 - seen.top - seen.height / 2,
      behavior: calm.matches || timer ? "auto" : "smooth",
    });
  }

  // A dot runs along the edge that was taken.
  function fly(edge) {
    cancelAnimationFrame(flight);
    $("robot")?.remove();
    const path = edge && edge.querySelector('path[fill="none"]');
    const ms = timer ? Math.min(450, 800 / rate()) : 350;
    if (!path || calm.matches || ms < 60) return;
    const robot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    robot.id = "robot";
    robot.setAttribute("r", "7");
    edge.append(robot);
    const length = path.getTotalLength();
    let started = null;
    const frame = (time) => {
      started ??= time;
      const share = Math.min(1, (time - started) / ms);
      const point = path.getPointAtLength(share * length);
      robot.setAttribute("cx", point.x);
      robot.setAttribute("cy", point.y);
      if (share < 1) flight = requestAnimationFrame(frame);
      else robot.remove();
    };
    flight = requestAnimationFrame(frame);
  }

  function drawWords(step) {
    const { node, event, target } = run.steps[step];
    const ended = step === last;
    $("where").textContent = `${node}:`;
    let words = event + (target ? `, go to ${target}` : "");
    if (ended) {
      const tape = run.belt.slice(...run.end);
      const left = `the final tape is ${tape ? (tape.length > 60 ? `${tape.slice(0, 60)}\u2026` : tape) : "empty"}`;
      words = run.accepted ? `accepted; ${left}` : `${target ? `${words}; ` : ""}rejected: ${run.reason}; ${left}`;
    }
    $("what").textContent = words;
    $("event").className = ended ? (run.accepted ? "good" : "bad") : "";
    $("event").setAttribute("aria-live", timer ? "off" : "polite");
    $("count").textContent = `${step + 1} / ${last + 1}`;
  }

  function mark(container, chosen) {
    for (const old of container.querySelectorAll(".now")) old.classList.remove("now");
    for (const line of chosen) line.classList.add("now");
    const first = chosen[0];
    if (!first) return;
    const above = first.offsetTop < container.scrollTop;
    const below = first.offsetTop + first.offsetHeight > container.scrollTop + container.clientHeight;
    if (above || below) container.scrollTop = first.offsetTop - container.clientHeight / 2;
  }

  function show(step) {
    const forward = step === now + 1;
    now = Math.max(0, Math.min(last, step));
    document.body.dataset.step = now + 1;
    $("seek").value = now + 1;
    $("seek").setAttribute("aria-valuetext", `step ${now + 1} of ${last + 1}`);
    drawTape(now);
    drawWords(now);
    const edge = drawGraph(now);
    fly(forward ? edge : null);
    mark($("steps"), [$("steps").children[now]]);
    mark($("listing"), [...$("listing").children].filter((line) => line.dataset.node === run.steps[now].node));
    $("first").disabled = $("back").disabled = now === 0;
    $("next").disabled = $("last").disabled = now === last;
  }

  const rate = () => Number($("speed").value);

  function pause() {
    clearInterval(timer);
    timer = null;
    document.body.classList.remove("playing");
    $("play").setAttribute("aria-label", "Play");
    $("event").setAttribute("aria-live", "polite");
  }

  function play() {
    pause();
    timer = setInterval(() => (now < last ? show(now + 1) : pause()), 1000 / rate());
    document.body.classList.add("playing");
    $("play").setAttribute("aria-label", "Pause");
    show(now === last ? 0 : now + 1);
  }

  const toggle = () => (timer ? pause() : play());
  const seek = (step) => { pause(); show(step); };
  const faster = (by) => {
    $("speed").selectedIndex = Math.max(0, Math.min(rates.length - 1, $("speed").selectedIndex + by));
    if (timer) play();
  };
  const keys = {
    " ": toggle, k: toggle, ArrowLeft: () => seek(now - 1), ArrowRight: () => seek(now + 1), Home: () => seek(0),
    End: () => seek(last), "+": () => faster(1), "=": () => faster(1), "-": () => faster(-1),
  };

  $("first").onclick = () => seek(0);
  $("back").onclick = () => seek(now - 1);
  $("play").onclick = toggle;
  $("next").onclick = () => seek(now + 1);
  $("last").onclick = () => seek(last);
  $("seek").oninput = () => seek(Number($("seek").value) - 1);
  $("speed").onchange = () => timer && play();
  $("steps").onclick = (event) => {
    const row = event.target.closest("li");
    if (row) seek([...$("steps").children].indexOf(row));
  };
  addEventListener("hashchange", () => seek(Number(location.hash.slice(1)) - 1 || 0));
  addEventListener("keydown", (event) => {
    const inField = event.target.matches("select, input") || (event.key === " " && event.target.matches("button"));
    if (inField || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });

  $("steps").append(...run.steps.map((step, index) => {
    const row = element("li", "", "");
    row.append(element("span", "", String(index + 1)), element("span", "", step.node), element("span", "", step.event));
    return row;
  }));
  // Long runs start fast enough to be over in a minute.
  $("speed").value = String(rates.find((candidate) => candidate >= 2 && last / candidate <= 60) || rates.at(-1));
  const drawing = document.querySelector("#graph svg");
  if (drawing.clientWidth <= 1.4 * $("graph").clientWidth) $("graph").classList.add("fit");
  drawing.style.maxWidth = `${drawing.clientWidth}px`;
  show(Number(location.hash.slice(1)) - 1 || 0);
})();
