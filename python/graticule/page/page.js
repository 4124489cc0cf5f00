// The page: what is chosen, what is drawn, and the news of a run that still trains.

let data = JSON.parse(byId("data").textContent);
let maps = []; // they and the drawing library stand at the end of the file: tables need neither
const choice = { variable: "", lead: 0 };

const pause = () => new Promise((resolve) => { setTimeout(resolve, 0); });

// Every variable that some figure has, those with maps or scores first.
function variables() {
  const mapped = maps.flatMap((of) => Object.keys(of.variables ?? {}));
  const scored = data.compared.flatMap((line) => line.rows.map((row) => row.variable));
  return [...new Set([...mapped, ...scored, ...data.runs.flatMap((run) => Object.keys(run.evaluations))])];
}

function leads() {
  return maps.map((of) => of.leads ?? []).sort((a, b) => b.length - a.length)[0] ?? [];
}

// Offers what there is, and keeps what was chosen where it still exists.
function offerChoices() {
  const names = variables(), select = byId("variable"), range = byId("lead");
  if (!names.includes(choice.variable)) choice.variable = names[0] ?? "";
  select.replaceChildren(...names.map((name) => new Option(titleOf(name), name, false, name === choice.variable)));
  byId("choices").hidden = names.length === 0;
  range.max = Math.max(0, leads().length - 1);
  choice.lead = Math.min(choice.lead, Number(range.max));
  range.parentElement.hidden = leads().length < 2;
}

function showChoice() {
  byId("variable").value = choice.variable;
  byId("lead").value = choice.lead;
  byId("lead-text").textContent = leads().length ? `${leads()[choice.lead]} h` : "";
  byId("lead").setAttribute("aria-valuetext", byId("lead-text").textContent);
}

async function drawChosen() {
  showChoice();
  if (!choice.variable) { byId("scores-section").hidden = byId("maps-section").hidden = byId("spectrum-section").hidden = true; return; }
  drawScores(data, choice.variable);
  await drawMaps(data, maps, choice.variable, choice.lead);
}

// What needs no drawing library.
function drawTables() {
  byId("title").textContent = data.runs.length > 1 ? `${data.runs.length} runs of Graticule` : `Run ${data.runs[0].name}`;
  byId("summary").textContent = data.runs.map((run) => run.path).join(", ");
  runsTable(data);
  drawCards(data);
  scoreTable(data);
  drawLayouts(data);
  machineTable(data);
  recipeTable(data);
}

// The page takes input between the figures.
async function drawFigures() {
  offerChoices();
  missingList(data, maps);
  drawTraining(data, choice.variable);
  await pause();
  performance.mark("first figures");
  await drawChosen();
  await pause();
  drawCost(data);
}

async function choose(changes) {
  Object.assign(choice, changes);
  if (changes.variable) drawTraining(data, choice.variable);
  await drawChosen();
}

byId("variable").addEventListener("change", (event) => choose({ variable: event.target.value }));
byId("lead").addEventListener("input", (event) => choose({ lead: Number(event.target.value) }));
byId("choices").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, summary")) return;
  const lead = { ArrowLeft: -1, ArrowRight: 1 }[event.key], step = { v: 1, V: -1 }[event.key];
  const names = variables();
  if (lead && leads().length) choose({ lead: Math.max(0, Math.min(leads().length - 1, choice.lead + lead)) });
  if (step && names.length) choose({ variable: names.at((names.indexOf(choice.variable) + step) % names.length) });
  if (lead) event.preventDefault();
});
// A printed page shows what is folded away on the screen.
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));

// Asks the server for news: graticule/watch.py answers 204 where there is none.
async function follow() {
  const told = byId("live");
  told.hidden = false;
  let version = data.version, fields = data.maps_version, heard = Date.now();
  for (;;) {
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    try {
      const answer = await fetch(`data.json?version=${encodeURIComponent(version)}`, { cache: "no-store" });
      if (answer.status === 200) {
        const news = await answer.json();
        if (news.maps_version !== fields) maps = await (await fetch("maps.json", { cache: "no-store" })).json();
        heard = Date.now();
        data = news; version = news.version; fields = news.maps_version;
        drawTables();
        await drawFigures();
      } else if (answer.status !== 204) throw new Error(`the server says ${answer.status}`);
      const minutes = Math.floor((Date.now() - heard) / 60000);
      told.textContent = data.state + (minutes > 1 ? ` Nothing new for ${minutes} minutes.` : "");
    } catch (error) {
      told.textContent = `graticule watch does not answer (${error.message}); this page goes on asking.`;
    }
  }
}

// The drawing library is a second of work, so the tables are shown before it is run.
function runLibrary() {
  document.head.append(Object.assign(document.createElement("script"), { textContent: byId("library").textContent }));
}

drawTables();
performance.mark("tables");
document.addEventListener("DOMContentLoaded", async () => {
  await pause();
  runLibrary();
  maps = JSON.parse(byId("field-data").textContent);
  await drawFigures();
  performance.mark("all figures");
  document.documentElement.dataset.ready = "yes";
  if (LIVE) follow();
});
