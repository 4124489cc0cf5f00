// The curves of training, and what a step costs.

// One line for each run that has steps: `valuesOf(curves)` by step.
function curveLines(data, valuesOf, name = (run) => run.name, more = {}) {
  return data.runs.map((run, index) => {
    const { color, dash } = look(index);
    const { curves } = run;
    return { type: "scatter", mode: curves.step.length < 3 ? "markers" : "lines", name: name(run), x: curves.step, y: valuesOf(curves),
      line: { color, dash, width: 1.6 }, showlegend: data.runs.length > 1, ...more };
  }).filter((line) => line.x.length > 0);
}

function drawTraining(data, variable) {
  const loss = curveLines(data, (curves) => curves.loss);
  draw(byId("loss"), "Training loss", loss, { xaxis: { title: "step" }, yaxis: { title: "loss (weighted, normalised)",
    ...scaleOf(loss) } });
  draw(byId("rate"), "Learning rate", curveLines(data, (curves) => curves.lr), { xaxis: { title: "step" },
    yaxis: { title: "learning rate", rangemode: "tozero", tickformat: "~e" } });
  const scored = data.runs.map((run, index) => ({ of: run.evaluations[variable], name: run.name, ...look(index) }))
    .filter((run) => run.of);
  draw(byId("evaluation"), `${titleOf(variable)}: RMSE on the validation times`, scored.map(({ of, name, color, dash, symbol }) => (
    { type: "scatter", mode: "lines+markers", name, x: of.step, y: of.rmse, line: { color, dash }, marker: { symbol, size: 7 },
      showlegend: data.runs.length > 1 })),
  { xaxis: { title: "step" }, yaxis: { title: withUnits("RMSE", scored[0]?.of.units), rangemode: "tozero" } });
  const size = Math.max(...data.runs.map((run) => run.curves.steps_a_point));
  byId("training-note").textContent = size > 1 ? `A point of a curve is the mean of up to ${size} steps.` : "";
}

// One bar for each run, in parts with their names. `partsOf(run)`: {name: value} or nothing.
function stackedBars(data, partsOf, text) {
  const totals = {};
  for (const run of data.runs)
    for (const [name, value] of Object.entries(partsOf(run) ?? {})) totals[name] = (totals[name] ?? 0) + value;
  const names = Object.keys(totals).filter((name) => totals[name] > 0).sort((a, b) => totals[b] - totals[a]);
  const shown = data.runs.filter((run) => partsOf(run));
  return names.map((name, index) => ({ type: "bar", orientation: "h", name, y: shown.map((run) => run.name),
    x: shown.map((run) => partsOf(run)[name] ?? 0), customdata: shown.map((run) => text(partsOf(run)[name] ?? 0)),
    hovertemplate: `${name}: %{customdata}<extra></extra>`, marker: { color: COLOURS[index % COLOURS.length],
      pattern: { shape: index < COLOURS.length ? "" : "/" }, line: { color: "#fff", width: 1 } } }));
}

// The seconds of a step by part, without double counting: the scopes inside of forward and backward are taken out of
// the time of both together. `data` is the wait that the metrics measured.
function timeParts(run) {
  const seconds = run.cost.seconds;
  if (!seconds) return undefined;
  const a = (name) => (seconds[name] ?? 0) / run.cost.steps;
  const inner = ["attention", "linear", "exchange", "weights", "reduce", "pipeline"];
  const parts = Object.fromEntries([...inner, "optimizer"].map((name) => [name, a(name)]));
  parts["other work"] = Math.max(0, a("forward") + a("backward") - inner.reduce((sum, name) => sum + a(name), 0));
  return parts;
}

function drawCost(data) {
  const times = curveLines(data, (curves) => curves.step_s);
  draw(byId("step-time"), "Time of a step", times, { xaxis: { title: "step" }, yaxis: { title: "seconds", rangemode: "tozero" } });
  const bars = { barmode: "stack", height: 230 + 40 * data.runs.length, margin: { l: 60, r: 12, t: 8, b: 150 },
    legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, traceorder: "normal" }, yaxis: { autorange: "reversed", ticks: "", automargin: true } };
  draw(byId("time-parts"), "Where a step of rank 0 spends its time", stackedBars(data, timeParts, (value) => `${number(value)} s`),
    { ...bars, xaxis: { title: "seconds" } });
  const memory = [
    ...curveLines(data, (curves) => curves.memory_bytes.map((value) => value / 2 ** 20), (run) => `${run.name}: process`, { showlegend: true }),
    ...curveLines(data, (curves) => curves.tensor_peak_bytes.map((value) => value / 2 ** 20), (run) => `${run.name}: tensors`,
      { showlegend: true }).map((line) => ({ ...line, line: { ...line.line, dash: "dot" } })),
  ];
  draw(byId("memory"), "Largest memory of a rank until now", memory, { xaxis: { title: "step" }, yaxis: { title: "MiB", rangemode: "tozero" } });
  const accounts = (run) => run.cost.memory?.accounts;
  const parts = stackedBars(data, accounts, bytes).map((bar) => ({ ...bar, x: bar.x.map((value) => value / 2 ** 20) }));
  draw(byId("memory-parts"), "Tensors of the fullest rank at its peak", parts, { ...bars, xaxis: { title: "MiB" } });
  byId("cost-note").textContent = data.runs.map((run) => costWords(run)).filter(Boolean).join(" ");
}

function costWords(run) {
  if (!run.curves.step.length) return "";
  const middle = (values) => [...values].filter((value) => value !== null).sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const { step_s, data_wait_s, tokens_per_s, memory_bytes } = run.curves;
  const parts = run.cost.seconds ? "" : " Time and memory by part come with the end of a training.";
  return `${run.name}: a step takes ${number(middle(step_s))} s (median), of which ${number(middle(data_wait_s))} s wait for data; `
    + `${whole(middle(tokens_per_s))} tokens/s; a process had ${bytes(Math.max(...memory_bytes))} at most.${parts}`;
}
