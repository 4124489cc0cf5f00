// Tables: the runs, the machines, the recipes.

// A cell is a text, or {text, number, best, shade}.
function fillTable(table, head, body) {
  table.replaceChildren();
  const line = (cells, tag) => {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const element = document.createElement(tag), { text, number: right, best, shade: colour } = typeof cell === "object" ? cell : { text: cell };
      element.textContent = text;
      if (right) element.classList.add("number");
      if (colour) element.style.background = colour;
      if (best) element.classList.add("best");
      row.append(element);
    }
    return row;
  };
  if (head.length) table.createTHead().append(line(head, "th"));
  const rows = table.createTBody();
  for (const cells of body) rows.append(line(cells, "td"));
}

const joined = (values) => (Array.isArray(values) ? values.join(" to ") : String(values ?? "–"));

function stateOf(run) {
  const made = run.curves.step.at(-1) ?? 0, wanted = run.recipe.train?.steps;
  return `${whole(made)} of ${whole(wanted)}`;
}

// Rows of properties, a column for each run.
function propertyTable(table, data, rows) {
  const body = Object.entries(rows).map(([name, of]) => [name, ...data.runs.map((run) => String(of(run) ?? "–"))])
    .filter(([, ...texts]) => texts.some((text) => text !== "–"));
  table.closest("section").hidden = body.length === 0;
  fillTable(table, data.runs.length > 1 ? ["", ...data.runs.map((run) => run.name)] : [], body);
}

function runsTable(data) {
  const of = (run) => run.recipe.data ?? {}, model = (run) => run.recipe.model ?? {};
  propertyTable(byId("runs"), data, {
    "data": (run) => of(run).path,
    "variables": (run) => `${of(run).variables?.length ?? "?"}, of them ${of(run).targets?.length ?? "?"} targets`,
    "training times": (run) => joined(of(run).train),
    "test times": (run) => joined(of(run).test),
    "model": (run) => `${model(run).tokens} tokens, patch ${model(run).patch}, width ${model(run).dim}, ${model(run).depth} blocks, ${model(run).heads} heads`,
    "tokens of a sample": (run) => whole(run.machine.tokens),
    "parameters": (run) => whole(run.machine.parameters),
    "ranks": (run) => whole(run.machine.ranks),
    "steps": stateOf,
    "last loss": (run) => number(run.curves.loss.at(-1)),
  });
}

function machineTable(data) {
  propertyTable(byId("machine"), data, {
    "started (UTC)": (run) => run.machine.started, "host": (run) => run.machine.host, "processor": (run) => run.machine.processor,
    "cores of the host": (run) => run.machine.cores, "memory of the host": (run) => run.machine.memory, "system": (run) => run.machine.system,
    "ranks on this host": (run) => run.machine.ranks_on_host, "Graticule": (run) => run.machine.versions?.Graticule,
    "PyTorch": (run) => run.machine.versions?.PyTorch, "compiler": (run) => run.machine.versions?.compiler,
  });
}

// section.key -> value, as text.
function flatRecipe(recipe, prefix = "") {
  return Object.entries(recipe).flatMap(([key, value]) => (value && typeof value === "object" && !Array.isArray(value)
    ? flatRecipe(value, `${prefix}${key}.`) : [[prefix + key, JSON.stringify(value)]]));
}

function recipeTable(data) {
  const flat = data.runs.map((run) => Object.fromEntries(flatRecipe(run.recipe)));
  const keys = [...new Set(flat.flatMap(Object.keys))].filter((key) => new Set(flat.map((of) => of[key])).size > 1);
  byId("recipe-note").textContent = data.runs.length < 2 ? "" : keys.length ? "The keys that differ:" : "The recipes are equal.";
  fillTable(byId("recipe"), keys.length ? ["key", ...data.runs.map((run) => run.name)] : [], keys.map((key) => [key, ...flat.map((of) => of[key] ?? "–")]));
  byId("recipes").replaceChildren(...data.runs.map((run) => {
    const details = document.createElement("details"), summary = document.createElement("summary"), text = document.createElement("pre");
    summary.textContent = `recipe.toml of ${run.name}`;
    text.textContent = run.recipe_text;
    details.append(summary, text);
    return details;
  }));
}

function missingList(data, maps) {
  const sentences = [...data.runs.flatMap((run) => run.missing), ...maps.flatMap((of) => of.missing ?? [])];
  byId("missing-section").hidden = sentences.length === 0;
  byId("missing").replaceChildren(...sentences.map((sentence) => Object.assign(document.createElement("li"), { textContent: sentence })));
}
