#include "graticule/recipe/task_rules.h"

#include <algorithm>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// Settles keys of a task that looks at one state: it has no lead.
void settle_one_state(Options& o, const std::string& where) {
  const auto refuse_key = [&](const char* key, const std::string& value, const char* way_out) {
    refuse(where, key, " = ", value, " with task.kind = \"", name_of(o.task.kind), "\": ", way_out);
  };
  if (o.named.contains("data.lead_hours") && o.data.lead_hours != std::vector<int64_t>{0})
    refuse_key("data.lead_hours", std::to_string(o.data.lead_hours.empty() ? 0 : o.data.lead_hours[0]),
               "it looks at one state and has no lead; leave the key out");
  if (o.named.contains("data.predict") && o.data.predict != Predict::state)
    refuse_key("data.predict", text('"', name_of(o.data.predict), '"'), "leave the key out");
  if (o.data.history > 1) refuse_key("data.history", std::to_string(o.data.history), "it looks at one state");
  if (o.train.rollout > 1)
    refuse_key("train.rollout", std::to_string(o.train.rollout), "it looks at one state");
  o.data.lead_hours = {0}, o.data.predict = Predict::state;
}

void check_labels(const Options& o, const std::string& where) {
  const bool segments = o.task.kind == TaskKind::segment;
  const bool labelled = segments || o.task.kind == TaskKind::classify || o.task.kind == TaskKind::regress;
  if (labelled && o.task.labels.empty())
    refuse(where, "task.labels is missing: name ",
           segments ? "the variable whose pixels are classes" : "a file of lines sample,value");
  if (!labelled && !o.task.labels.empty())
    refuse(where, "task.labels = \"", o.task.labels, "\": task.kind = \"", name_of(o.task.kind),
           "\" has no labels; leave the key out");
  if (labelled && o.train.loss_weights.any())
    refuse(where, "train.loss_weights weighs variables, but labels are the only target of task.kind = \"",
           name_of(o.task.kind), "\": leave the key out");
}

}  // namespace

void apply_task(Options& options, const std::string& where) {
  check_labels(options, where);
  if (options.task.kind != TaskKind::forecast) return settle_one_state(options, where);
  const auto& leads = options.data.lead_hours;
  if (std::find(leads.begin(), leads.end(), 0) != leads.end())
    refuse(where, "data.lead_hours has 0: a forecast looks ahead; give leads of at least 1");
}

}  // namespace graticule
