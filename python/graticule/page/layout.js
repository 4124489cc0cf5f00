// The layout of a run, drawn: which ranks hold which tokens, samples, blocks and heads.

const AXES = ["pipeline", "data", "context", "ulysses", "tensor"]; // rank 0, 1, ... go row-major through them
const MOST_RANKS = 128; // drawn; of larger layouts the first ones

function axesOf(run) {
  const named = run.machine.axes ?? run.recipe.parallel ?? {};
  return Object.fromEntries(AXES.map((axis) => [axis, named[axis] || 1]));
}

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function layoutWords(run) {
  const axes = axesOf(run), ranks = AXES.reduce((product, axis) => product * axes[axis], 1), { parallel = {}, model = {} } = run.recipe;
  if (ranks === 1) return "One rank does everything.";
  const tokens = run.machine.tokens, sharing = axes.context * axes.ulysses;
  const a = (count, words) => (count > 1 ? [words] : []);
  return `${ranks} ranks. ` + [
    ...a(axes.pipeline, `${axes.pipeline} pipeline stages share the ${model.depth ?? ""} blocks`),
    ...a(axes.data, `${axes.data} replicas take other samples`),
    ...a(sharing, `${sharing} ranks share the ${tokens ? whole(tokens) : ""} tokens of a sample (` + [
      ...a(axes.context, `context ${axes.context}, ${parallel.context_method ?? "lss"}`),
      ...a(axes.ulysses, `ulysses ${axes.ulysses}: attention by heads`)].join("; ") + ")"),
    ...a(axes.tensor, `${axes.tensor} ranks share the heads and the hidden width (tensor)`),
    ...a(parallel.shard && parallel.shard !== "none" ? 2 : 1, `weights are sharded: ${parallel.shard}`),
  ].join("; ") + ".";
}

function drawRank(picture, x, y, rank, words, shade) {
  picture.append(svg("rect", { x, y, width: 86, height: 40, rx: 4, fill: shade, stroke: "#57606a" }));
  picture.append(svg("text", { x: x + 43, y: y + 17, "text-anchor": "middle", "font-size": 12, "font-weight": 600 }, `rank ${rank}`));
  picture.append(svg("text", { x: x + 43, y: y + 32, "text-anchor": "middle", "font-size": 10 }, words));
}

// A box for each stage (downwards) and replica (to the right); in it context goes down, ulysses and tensor to the right.
function layoutPicture(run) {
  const axes = axesOf(run), across = axes.ulysses * axes.tensor, inside = axes.context * across;
  const boxes = axes.pipeline * axes.data, shown = Math.max(1, Math.min(boxes, Math.floor(MOST_RANKS / inside)));
  const rows = Math.min(axes.context, MOST_RANKS), perRow = Math.max(1, Math.min(axes.data, Math.floor(12 / across)));
  const width = across * 92 + 14, height = rows * 46 + 34;
  const tokens = run.machine.tokens ? `${whole(run.machine.tokens / (axes.context * axes.ulysses))} tokens` : "";
  const picture = svg("svg", { role: "img", "aria-label": layoutWords(run), "font-family": "system-ui, DejaVu Sans, sans-serif",
    viewBox: `0 0 ${Math.min(perRow, shown) * width} ${Math.ceil(shown / perRow) * height}`, width: Math.min(perRow, shown) * width });
  for (let box = 0; box < shown; box += 1) {
    const left = (box % perRow) * width, top = Math.floor(box / perRow) * height;
    const stage = Math.floor(box / axes.data), replica = box % axes.data;
    const name = [...(axes.pipeline > 1 ? [`stage ${stage}`] : []), ...(axes.data > 1 ? [`replica ${replica}`] : [])].join(", ");
    picture.append(svg("rect", { x: left + 2, y: top + 2, width: width - 6, height: height - 6, rx: 6, fill: "none", stroke: "#b0b8c0" }));
    picture.append(svg("text", { x: left + 10, y: top + 17, "font-size": 11, fill: "#57606a" }, name || "one sample"));
    for (let place = 0; place < Math.min(inside, rows * across); place += 1) {
      const share = Math.floor(place / axes.tensor), shade = share % 2 ? "#fdf1dc" : "#e3f0f8";
      drawRank(picture, left + 8 + (place % across) * 92, top + 24 + Math.floor(place / across) * 46, box * inside + place, tokens, shade);
    }
  }
  return { picture, left: AXES.reduce((product, axis) => product * axes[axis], 1) - shown * Math.min(inside, rows * across) };
}

function drawLayouts(data) {
  const holder = byId("layout");
  holder.replaceChildren();
  const alike = Map.groupBy(data.runs, layoutWords);
  for (const runs of alike.values()) {
    const [run] = runs, words = document.createElement("p"), { picture, left } = layoutPicture(run);
    words.textContent = `${data.runs.length > 1 ? `${runs.map((each) => each.name).join(", ")}: ` : ""}${layoutWords(run)}${left > 0 ? ` ${whole(left)} more ranks, laid out alike, are not drawn.` : ""}`;
    const wide = Object.assign(document.createElement("div"), { className: "wide" });
    wide.append(picture);
    holder.append(words, wide);
  }
}
