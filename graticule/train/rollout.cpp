#include "graticule/train/rollout.h"

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/train/build.h"

namespace graticule {

namespace {

// One number a variable, laid over the tokens: T K 1.
at::Tensor number_of_each(const Run& run, const std::function<double(const std::string&)>& number) {
  const TokenGrid& grid = run.shape.grid;
  const int64_t K = grid.variables_per_token();
  at::Tensor numbers_TK1 = at::empty({run.tokens.size(), K, 1}, at::kFloat);
  const Span variables = grid.variables_of(run.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const Span tokens = grid.tokens_of(run.tokens, v);
    const double value = number(run.options.data.variables[static_cast<size_t>(v)]);
    numbers_TK1.narrow(0, tokens.begin - run.tokens.begin, tokens.size())
        .select(1, K == 1 ? 0 : v)
        .fill_(value);
  }
  return numbers_TK1;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_forcing(const Run& run, const std::string& name) {
  const Catalog& catalog = run.source->catalog();
  return !contains(run.options.data.targets, name) && !catalog.variables[catalog.index_of(name)].constant;
}

}  // namespace

TokenScales token_scales(const Run& run, int lead_hours) {
  const auto& statistics = run.statistics;
  return {number_of_each(run, [&](const auto& name) { return statistics.of(name).mean; }),
          number_of_each(run, [&](const auto& name) { return statistics.of(name).deviation; }),
          number_of_each(
              run, [&](const auto& name) { return statistics.of(name).difference_deviation.at(lead_hours); }),
          number_of_each(
              run, [&](const auto& name) { return contains(run.options.data.targets, name) ? 1.0 : 0.0; }),
          number_of_each(run, [&](const auto& name) { return is_forcing(run, name) ? 1.0 : 0.0; })};
}

at::Tensor on_tokens(const at::Tensor& field_YX, const TokenGrid& grid, const Span& tokens) {
  std::vector<at::Tensor> parts;
  const Span variables = grid.mode == TokenMode::full ? grid.variables_of(tokens) : Span{0, 1};
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const Span mine = grid.tokens_of(tokens, v);
    const int64_t first = grid.mode == TokenMode::full ? v * grid.places() : 0;
    parts.push_back(to_patches(field_YX, {0, grid.rows}, grid, {mine.begin - first, mine.end - first}));
  }
  return at::cat(parts).unsqueeze(1).expand({tokens.size(), grid.variables_per_token(), grid.pixels()});
}

at::Tensor of_variable(const at::Tensor& x_TKP, const TokenGrid& grid, const Span& tokens, int64_t variable) {
  if (grid.mode != TokenMode::full) return x_TKP.select(1, variable);
  const Span mine = grid.tokens_of(tokens, variable);
  const int64_t first = mine.empty() ? 0 : mine.begin - tokens.begin;
  return x_TKP.narrow(0, first, mine.size()).select(1, 0);
}

at::Tensor state_at(const Run& run, int64_t time_index) {
  return read_tokens(*run.source, run.statistics,
                     loader_options(run.options, run.shape, run.mesh, run.tokens), time_index);
}

at::Tensor advance(Run& run, const TokenScales& scales, const at::Tensor& state_BTKP, int lead_hours) {
  const int64_t B = state_BTKP.size(0);
  const at::Device device = run.device();
  const Inputs inputs{at::full({B}, static_cast<double>(lead_hours), at::kFloat).to(device),
                      std::vector<int64_t>(static_cast<size_t>(B), 0), 0, false, nullptr};
  const at::Tensor prediction = run.chain.predict(state_BTKP.to(device), inputs).cpu();
  const at::Tensor next = run.options.data.predict == Predict::difference
                              ? state_BTKP + prediction * (scales.difference_TK1 / scales.deviation_TK1)
                              : prediction;
  return at::where(scales.target_TK1 > 0, next, state_BTKP);
}

at::Tensor with_forcings(const Run& run, const TokenScales& scales, const at::Tensor& state_TKP,
                         int64_t time) {
  std::string names;
  for (const auto& name : run.options.data.variables) {
    if (is_forcing(run, name)) names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return state_TKP;
  const auto& times = run.source->catalog().times;
  const auto found = std::lower_bound(times.begin(), times.end(), time);
  if (found == times.end() || *found != time) {
    refuse("forecast", "the model reads ", names, " at each step, but the data have nothing at ",
           format_time(time), ": give fewer steps, or data that reach so far");
  }
  return at::where(scales.forcing_TK1 > 0, state_at(run, found - times.begin()), state_TKP);
}

}  // namespace graticule
