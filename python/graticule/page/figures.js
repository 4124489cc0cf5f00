// How every figure looks, and the small words that figures and tables share.

// Okabe and Ito's palette: told apart with any colour vision; dashes and marks tell the same without colour.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const DASHES = ["solid", "dash", "dashdot", "longdash"];
const MARKS = ["circle", "square", "diamond", "triangle-up", "x", "star", "pentagon"];
const BASELINES = {
  persistence: { color: "#7f7f7f", dash: "dot", symbol: "triangle-down" },
  climatology: { color: "#404040", dash: "longdashdot", symbol: "cross" },
};
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
const UNITS = { "m2/s2": "m²/s²", "m**2 s**-2": "m²/s²", "m2 s-2": "m²/s²", "m s**-1": "m/s", "kg kg**-1": "kg/kg", "1": "" };

const byId = (id) => document.getElementById(id);

// The line of run number `index`.
function look(index) {
  return { color: COLOURS[index % COLOURS.length], dash: DASHES[Math.floor(index / COLOURS.length) % DASHES.length],
    symbol: MARKS[index % MARKS.length] };
}

// temperature@850 -> Temperature at 850 hPa; 2m_temperature -> 2 m temperature.
function titleOf(variable) {
  const [name, level] = variable.split("@");
  const words = name.replaceAll("_", " ").replace(/^(2|10)m /, "$1 m ");
  return words.charAt(0).toUpperCase() + words.slice(1) + (level ? ` at ${level} hPa` : "");
}

const unitsOf = (units) => UNITS[units] ?? units ?? "";
const withUnits = (words, units) => (unitsOf(units) ? `${words} (${unitsOf(units)})` : words);
const number = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString());
const whole = (value) => (value === undefined ? "–" : Math.round(value).toLocaleString("en"));

function bytes(value) {
  return value >= 2 ** 30 ? `${(value / 2 ** 30).toFixed(2)} GiB` : `${(value / 2 ** 20).toFixed(1)} MiB`;
}

// Draws a figure with its heading into an element, or hides the element where there is nothing to draw.
function draw(element, title, traces, layout = {}) {
  element.hidden = traces.length === 0;
  if (element.hidden) return undefined;
  if (!element.firstChild) {
    element.setAttribute("role", "figure");
    element.append(document.createElement("h3"), Object.assign(document.createElement("div"), { className: "plot" }));
  }
  element.firstChild.textContent = title;
  element.setAttribute("aria-label", title);
  const axis = { gridcolor: "#e3e3e3", zeroline: false, linecolor: "#d0d7de", ticks: "outside" };
  const legend = traces.some((trace) => trace.showlegend ?? traces.length > 1);
  const below = legend ? 10 + 20 * Math.ceil(traces.length / 3) : 0; // room for the rows of the legend
  return Plotly.react(element.lastChild, traces, {
    height: 280 + below, margin: { l: 76, r: 12, t: 8, b: 48 + below }, showlegend: legend, paper_bgcolor: "#fff", plot_bgcolor: "#fff",
    font: { family: "system-ui, DejaVu Sans, sans-serif", size: 12, color: "#1b1f24" }, hovermode: "closest",
    legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 }, ...layout,
    xaxis: { ...axis, ...layout.xaxis, title: { text: layout.xaxis?.title ?? "" } },
    yaxis: { ...axis, ...layout.yaxis, title: { text: layout.yaxis?.title ?? "" } },
  }, CONFIG);
}

// A logarithmic axis over positive values, with the numbers 1, 2, 5, 10, ... or, over many decades, 1, 10, 100, ...
function logAxis(values) {
  const low = Math.floor(Math.log10(Math.min(...values))), high = Math.ceil(Math.log10(Math.max(...values)));
  if (high - low > 3) return { type: "log", dtick: Math.ceil((high - low) / 8), exponentformat: "power" };
  const decades = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return { type: "log", tickvals: decades.flatMap((decade) => [1, 2, 5].map((digit) => Number((digit * decade).toPrecision(1)))) };
}

// That axis where every value allows it.
function scaleOf(traces) {
  const values = traces.flatMap((trace) => trace.y).filter((value) => value !== null);
  return values.length > 0 && values.every((value) => value > 0) ? logAxis(values) : {};
}
