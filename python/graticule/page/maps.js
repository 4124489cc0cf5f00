// Maps of forecast, truth and error, and their spectra, at the chosen variable and lead.

const BELOW_ABOVE = [[0, "#2166ac"], [0.5, "#f7f7f7"], [1, "#b2182b"]]; // blue to red, white between

// The bytes of a packed array (graticule/report_fields.py).
async function unpack(part) {
  const packed = Uint8Array.from(atob(part.text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const unpacked = new WeakMap(); // parts that were looked at, so that the slider does not unpack again

// One lead of a packed array as rows of numbers; NaN where there is no value.
async function fieldAt(part, lead, rows, columns) {
  if (!unpacked.has(part)) unpacked.set(part, unpack(part));
  const codes = await unpacked.get(part), unit = (part.high - part.low) / 254;
  return Array.from({ length: rows }, (_, y) => Float64Array.from({ length: columns }, (_, x) => {
    const code = codes[(lead * rows + y) * columns + x];
    return code === 0 ? NaN : part.low + (code - 1) * unit;
  }));
}

// The maps to show: what each is called, where its numbers are, and its colours. A run has them in one row; several runs
// have a column each, below the truth, which is shown once where they share it.
function panelsOf(data, maps, variable) {
  const forecasts = [], truths = [], errors = [];
  maps.forEach((of, index) => {
    const fields = of.variables?.[variable];
    if (!fields) return;
    const name = data.runs.length > 1 ? ` · ${data.runs[index].name}` : "";
    const [low, high] = fields.range, scale = { colorscale: "Viridis", zmin: low, zmax: high };
    forecasts.push({ title: `Forecast${name}`, part: fields.forecast, of, fields, scale });
    if (!truths.some((truth) => truth.part.text === fields.truth.text)) truths.push({ title: "Truth", part: fields.truth, of, fields, scale });
    errors.push({ title: `Forecast − truth${name}`, part: fields.error, of, fields,
      scale: { colorscale: BELOW_ABOVE, zmin: -fields.limit, zmax: fields.limit } });
  });
  if (forecasts.length > 1) forecasts[0].opensRow = true;
  return forecasts.length > 1 ? [...truths, ...forecasts, ...errors] : [...forecasts, ...truths, ...errors];
}

const clamped = (lead, of) => Math.min(lead, of.leads.length - 1);

async function drawPanel(element, panel, lead) {
  const { of, fields, scale } = panel, x = of.longitude, y = of.latitude;
  element.classList.toggle("opens-row", Boolean(panel.opensRow));
  const z = await fieldAt(panel.part, clamped(lead, of), y.length, x.length);
  const step = x.length > 1 ? x[1] - x[0] : 1, around = Math.abs(step * x.length - 360) < 1;
  const traces = [{ type: "heatmap", x, y, z, ...scale, showlegend: false, hovertemplate: "%{y:.1f}° N, %{x:.1f}° E: %{z:.4~g}<extra></extra>",
    colorbar: { orientation: "h", thickness: 10, len: 0.9, y: -0.1, yanchor: "top", outlinewidth: 0,
      title: { text: unitsOf(fields.units), side: "bottom" } } }];
  if (of.coast) traces.push({ type: "contour", x, y, z: of.coast, hoverinfo: "skip", showscale: false, showlegend: false, line: { color: "#000", width: 1 },
    contours: { coloring: "none", start: 0.5, end: 0.5, size: 1 } });
  const degrees = Math.abs((y.at(-1) - y[0]) / (step * x.length)) || 0.5;
  const height = Math.round(Math.min(600, (element.clientWidth - 70) * degrees)) + 100;
  await draw(element, panel.title, traces, { height, margin: { l: 50, r: 10, t: 8, b: 80 },
    xaxis: { showgrid: false, ...(around ? { tickvals: [0, 60, 120, 180, 240, 300], ticktext: ["0°", "60°E", "120°E", "180°", "120°W", "60°W"] }
      : { ticksuffix: "°E" }) },
    yaxis: { showgrid: false, ...(around ? { tickvals: [-90, -45, 0, 45, 90], ticktext: ["90°S", "45°S", "0°", "45°N", "90°N"] } : { ticksuffix: "°N" }) } });
}

let drawing = 0; // the newest drawing; an older one that still unpacks gives up

async function drawMaps(data, maps, variable, lead) {
  const mine = (drawing += 1), holder = byId("maps");
  const shown = maps.filter((each) => each.variables);
  byId("maps-section").hidden = byId("spectrum-section").hidden = shown.length === 0;
  if (!shown.length) return;
  const panels = panelsOf(data, maps, variable), of = panels[0]?.of ?? shown[0];
  byId("maps-note").textContent = panels.length
    ? `${titleOf(variable)}, ${of.leads[clamped(lead, of)]} h from ${of.time}.`
      + ` Values are rounded to 1/254 of their range.${of.pixels_a_side > 1 ? ` A pixel is the mean of ${of.pixels_a_side} x ${of.pixels_a_side} of the grid.` : ""}`
    : `The forecast has no ${titleOf(variable)}.`;
  while (holder.children.length > panels.length) { Plotly.purge(holder.lastChild.lastChild); holder.lastChild.remove(); }
  while (holder.children.length < panels.length) holder.append(Object.assign(document.createElement("div"), { className: "figure map" }));
  holder.style.setProperty("--columns", shown.length > 1 ? Math.min(4, shown.length) : 3);
  drawSpectra(data, maps, variable, lead);
  for (const [index, panel] of panels.entries()) {
    await drawPanel(holder.children[index], panel, lead);
    if (mine !== drawing) return;
  }
  holder.dataset.shown = `${variable} ${lead}`; // so that a test can wait for it
}

function drawSpectra(data, maps, variable, lead) {
  const lines = [];
  maps.forEach((of, index) => {
    const spectra = of.spectra?.[variable];
    if (!spectra) return;
    const add = (kind, name, line) => {
      const y = spectra[kind][clamped(lead, of)];
      lines.push({ type: "scatter", mode: "lines", name, x: y.map((_, wave) => wave + 1), y, line });
    };
    if (!lines.length) add("truth", "truth", { color: "#404040", dash: "dot", width: 2 });
    const { color, dash } = look(index);
    add("forecast", data.runs.length > 1 ? data.runs[index].name : "forecast", { color, dash, width: 2 });
  });
  byId("spectrum-section").hidden = lines.length === 0;
  draw(byId("spectrum"), `${titleOf(variable)}: power by zonal wavenumber`, lines,
    { xaxis: { title: "zonal wavenumber", ...logAxis(lines[0]?.x ?? [1]) }, yaxis: { title: "power", ...scaleOf(lines) } });
}
