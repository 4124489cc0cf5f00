// Scores by lead and variable, beside forecasts without skill.

function lookOfLine(line) {
  return BASELINES[line.name] && !line.runs.length ? BASELINES[line.name] : look(line.runs[0]);
}

// The line of one forecast: one score of one variable by lead, with bars where repeats give an interval.
function scoreLine(line, variable, score) {
  const rows = line.rows.filter((row) => row.variable === variable && row[score] !== null).sort((a, b) => a.lead_hours - b.lead_hours);
  const { color, dash, symbol } = lookOfLine(line);
  const halves = rows.map((row) => row[`${score}_half`] ?? null);
  return { type: "scatter", mode: "lines+markers", name: line.name, x: rows.map((row) => row.lead_hours), y: rows.map((row) => row[score]),
    line: { color, dash, width: 2 }, marker: { symbol, size: 8, color },
    error_y: halves.some((half) => half !== null) ? { type: "data", array: halves, color, thickness: 1.5 } : undefined };
}

function drawScores(data, variable) {
  byId("scores-section").hidden = data.compared.length === 0;
  if (!data.compared.length) return;
  for (const score of ["rmse", "acc"]) {
    const lines = data.compared.map((line) => scoreLine(line, variable, score)).filter((line) => line.x.length);
    const units = data.compared[0].rows.find((row) => row.variable === variable)?.units;
    const leads = [...new Set(lines.flatMap((line) => line.x))];
    const title = score === "rmse" ? "RMSE by lead" : "Anomaly correlation by lead";
    draw(byId(score), `${titleOf(variable)}: ${title}`, lines, {
      xaxis: { title: "lead (hours)", ...(leads.length <= 10 ? { tickvals: leads } : {}) },
      yaxis: { title: score === "rmse" ? withUnits("RMSE", units) : "ACC", rangemode: score === "rmse" ? "tozero" : "normal" } });
  }
  const first = data.runs.find((run) => run.scores).scores;
  const intervals = data.compared.some((line) => line.runs.length > 1)
    ? " Runs of one recipe with other seeds are one line: their mean, with its 95 % interval (Student's t)." : "";
  const climatology = first.climatology ? ` Baselines: ${first.climatology}; persistence repeats the first state.` : "";
  byId("scores-note").textContent = `Convention ${first.convention}, ${first.samples ?? "?"} initial times.${climatology}${intervals}`;
}

// White for no change, towards blue for better and red for worse; full at 60 %.
function shade(change) {
  const amount = Math.min(1, Math.abs(change) / 60), [r, g, b] = change < 0 ? [67, 147, 195] : [214, 96, 77];
  return `rgb(${[r, g, b].map((full) => Math.round(255 + (full - 255) * amount)).join(" ")})`;
}

// RMSE of each model against the better of the two baselines, for every variable and lead.
function drawCards(data) {
  const baselines = data.compared.filter((line) => !line.runs.length), holder = byId("cards");
  holder.replaceChildren();
  const rmse = (rows, variable, lead) => rows.find((row) => row.variable === variable && row.lead_hours === lead)?.rmse ?? null;
  for (const line of baselines.length ? data.compared.filter((each) => each.runs.length) : []) {
    const leads = [...new Set(line.rows.map((row) => row.lead_hours))].sort((a, b) => a - b);
    const body = [...new Set(line.rows.map((row) => row.variable))].map((variable) => [titleOf(variable), ...leads.map((lead) => {
      const ours = rmse(line.rows, variable, lead);
      const theirs = baselines.map((of) => rmse(of.rows, variable, lead)).filter((value) => value !== null);
      if (ours === null || !theirs.length) return { text: "–", number: true };
      const change = 100 * (ours / Math.min(...theirs) - 1), rounded = Math.round(change) || 0;
      return { text: `${rounded > 0 ? "+" : ""}${rounded} %`, number: true, shade: shade(change) };
    })]);
    const title = document.createElement("h3"), wide = Object.assign(document.createElement("div"), { className: "wide" });
    const table = Object.assign(document.createElement("table"), { className: "card" });
    title.textContent = `${line.name}: RMSE against the better baseline (negative, blue: better)`;
    fillTable(table, ["", ...leads.map((lead) => ({ text: `${lead} h`, number: true }))], body);
    wide.append(table);
    holder.append(title, wide);
  }
}

// Every score as text; the best RMSE of a row is bold.
function scoreTable(data) {
  const key = (row) => `${row.variable} ${row.lead_hours}`;
  const rows = new Map();
  data.compared.forEach((line, index) => line.rows.forEach((row) => {
    if (!rows.has(key(row))) rows.set(key(row), { row, of: [] });
    rows.get(key(row)).of[index] = row;
  }));
  const head = ["variable", "lead (h)", "units", ...data.compared.map((line) => `RMSE ${line.name}`),
    ...data.compared.filter((line) => line.name !== "climatology").map((line) => `ACC ${line.name}`)];
  const spread = (row, score) => (row?.[`${score}_half`] ? ` ± ${number(row[`${score}_half`])}` : "");
  const body = [...rows.values()].map(({ row, of }) => {
    const best = Math.min(...of.filter((each) => each && each.rmse !== null).map((each) => each.rmse));
    const rmse = data.compared.map((_, i) => ({ text: number(of[i]?.rmse) + spread(of[i], "rmse"), number: true, best: of[i]?.rmse === best }));
    const acc = data.compared.map((line, i) => ({ text: number(of[i]?.acc) + spread(of[i], "acc"), number: true, name: line.name }))
      .filter((cell) => cell.name !== "climatology");
    return [row.variable, { text: String(row.lead_hours), number: true }, unitsOf(row.units), ...rmse, ...acc];
  });
  fillTable(byId("scores"), head, body);
}
