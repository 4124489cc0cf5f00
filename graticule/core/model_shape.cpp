#include "graticule/core/model_shape.h"

#include <algorithm>
#include <cmath>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// Weight and bias of a linear layer.
int64_t linear(int64_t in, int64_t out) { return in * out + out; }

// Refuses heads and norms that do not go with the form of queries and keys.
void validate_queries_and_keys(const ModelShape& shape) {
  const int64_t narrowest = narrowest_head(shape.place, std::ssize(wave_axes(shape.grid)));
  if (shape.head_dim() < narrowest) {
    refuse("model", "place = \"", name_of(shape.place), "\" with heads of width ", shape.head_dim(),
           ": it needs ", narrowest,
           " features or more; choose fewer heads, a larger dim, or place = \"added\"");
  }
  if (shape.qk_norm == QkNorm::layer && (shape.place != PlaceForm::added || shape.qk_variables)) {
    refuse("model",
           "qk_norm = \"layer\" goes with place = \"added\" and qk_variables = false alone: set "
           "these, or choose qk_norm = \"cosine\"");
  }
}

}  // namespace

PlaceWaves ModelShape::waves() const {
  switch (place) {
    case PlaceForm::added:
      return {};
    case PlaceForm::aimed:
      return octave_waves(grid, head_dim());
    case PlaceForm::rotary:
      return rotary_waves(grid, head_dim());
  }
  return {};
}

int64_t ModelShape::visible_tokens() const {
  const int64_t S = grid.tokens();
  return S - std::llround(decoder.masked * static_cast<double>(S));
}

ModelShape ModelShape::decoder_shape() const {
  ModelShape shape = *this;
  shape.dim = decoder.dim, shape.depth = decoder.depth, shape.heads = decoder.heads, shape.kv_heads = 0;
  shape.drop_path = 0, shape.decoder = {};
  shape.entry = {visible_tokens(), dim};
  return shape;
}

ModelShape ModelShape::encoder_shape() const {
  ModelShape shape = *this;
  shape.decoder = {.masked = decoder.masked};
  return shape;
}

int64_t ModelShape::query_key_parameters(int64_t queries, int64_t keys) const {
  const int64_t V = embedded_variables(), of_content = V > 1 ? V * content_dim() : 0;
  const int64_t temperature = qk_norm == QkNorm::cosine ? 1 : 0;
  return queries * (of_content + temperature + V * place_features()) + keys * of_content;
}

void validate(const ModelShape& shape) {
  if (shape.dim < 4 || shape.dim % 4 != 0) {
    refuse("model", "dim = ", shape.dim,
           ": it must be a positive multiple of 4 (a sine and a cosine for each of two axes)");
  }
  if (shape.depth < 1) refuse("model", "depth = ", shape.depth, ": at least 1 block is needed");
  if (shape.heads < 1 || shape.dim % shape.heads != 0) {
    std::string fitting;
    for (int64_t h = 1; h <= shape.dim; ++h) {
      if (shape.dim % h == 0 && shape.dim / h <= 256 && h <= 64)
        fitting += (fitting.empty() ? "" : ", ") + std::to_string(h);
    }
    refuse("model", "dim = ", shape.dim, " over heads = ", shape.heads,
           " leaves a fraction: choose heads from ", fitting);
  }
  if (shape.head_dim() > 256) {
    refuse("model", "heads of width ", shape.head_dim(), ": at most 256; choose at least ",
           (shape.dim + 255) / 256, " heads");
  }
  if (shape.kv_heads < 0 || shape.heads % shape.key_heads() != 0) {
    refuse("model", "kv_heads = ", shape.kv_heads, ": it must divide heads = ", shape.heads);
  }
  validate_queries_and_keys(shape);
  const double hidden = static_cast<double>(shape.dim) * shape.mlp_ratio;
  if (!(hidden >= 1 && hidden <= 1e9)) {
    refuse("model", "mlp_ratio = ", shape.mlp_ratio, " of dim = ", shape.dim, " makes an MLP of width ",
           hidden, ": choose a ratio that makes it 1 to 1e9 wide");
  }
  if (!(shape.drop_path >= 0 && shape.drop_path < 1)) {
    refuse("model", "drop_path = ", shape.drop_path, ": it must lie in [0, 1)");
  }
  if (shape.head_layers < 0)
    refuse("model", "head_layers = ", shape.head_layers, ": it must not be negative");
}

void validate_decoder(const ModelShape& shape) {
  try {
    validate(shape.decoder_shape());
  } catch (const std::invalid_argument& error) {
    refuse("task", "of the decoder (task.decoder_dim, task.decoder_heads): ", error.what());
  }
}

int64_t tokenizer_parameters(const ModelShape& shape) {
  const int64_t V = shape.grid.variables, I = shape.grid.inputs(), C = shape.dim;
  if (shape.entry.dim > 0)
    return 2 * shape.entry.dim + linear(shape.entry.dim, C) + C +
           (shape.grid.mode == TokenMode::full ? V * C : 0);
  const int64_t time = linear(1, C) + (shape.calendar ? calendar_features * C : 0);
  switch (shape.grid.mode) {
    case TokenMode::full:
      return V * linear(I, C) + V * C + time + (shape.adds_merged() ? V * C * I : 0);
    case TokenMode::aggregated:
      return V * linear(I, C) + V * C + C + 4 * linear(C, C) + time;
    case TokenMode::channels:
      return linear(V * I, C) + time;
  }
  GRATICULE_CHECK(false, "token mode");
}

int64_t block_parameters(const ModelShape& shape) {
  const int64_t C = shape.dim, D = shape.head_dim();
  const int64_t norms = 2 * 2 * C + (shape.qk_norm == QkNorm::layer ? 2 * 2 * D : 0);
  const int64_t attention = linear(C, shape.projection_rows(shape.heads, shape.key_heads())) +
                            shape.query_key_parameters(shape.heads, shape.key_heads()) + linear(C, C);
  return norms + attention + linear(C, shape.hidden()) + linear(shape.hidden(), C);
}

int64_t head_parameters(const ModelShape& shape) {
  const int64_t C = shape.dim, each = shape.grid.mode == TokenMode::full ? shape.grid.variables : 1;
  const int64_t norm = 2 * C, last = each * linear(C, shape.outputs() * shape.output_values());
  return norm + shape.head_layers * linear(C, C) + last;
}

int64_t parameters(const ModelShape& shape) {
  const int64_t blocks = tokenizer_parameters(shape) + shape.depth * block_parameters(shape);
  return blocks + (shape.has_decoder() ? parameters(shape.decoder_shape()) : head_parameters(shape));
}

int64_t head_group_count(const ModelShape& shape, int64_t wished, int64_t tensor_ranks) {
  return std::min(wished, std::max<int64_t>(1, shape.key_heads() / tensor_ranks));
}

Flops flops(const ModelShape& shape) {
  const auto S = static_cast<double>(shape.visible_tokens()), C = static_cast<double>(shape.dim);
  const auto V = static_cast<double>(shape.grid.variables),
             patches = S * static_cast<double>(shape.grid.variables_per_token() * shape.grid.inputs());
  const auto depth = static_cast<double>(shape.depth), hidden = static_cast<double>(shape.hidden());
  const auto rows = static_cast<double>(shape.projection_rows(shape.heads, shape.key_heads()));
  Flops count;
  count.tokenizer = 2 * patches * C * (shape.adds_merged() ? 2 : 1);
  // One query a place: k and v projections of every variable's token, q and out of one, scores and sums over
  // V.
  if (shape.grid.mode == TokenMode::aggregated)
    count.tokenizer += S * (4 * V * C * C + 4 * C * C + 4 * V * C);
  if (shape.entry.dim > 0)
    count.tokenizer = 2 * static_cast<double>(shape.entry.tokens * shape.entry.dim) * C;
  count.linear = depth * S * (2 * C * (rows + C) + 4 * C * hidden);
  count.attention = depth * 4 * S * S * C;
  count.head = 2 * S * static_cast<double>(shape.outputs() * shape.output_values()) * C +
               static_cast<double>(shape.head_layers) * 2 * S * C * C;
  if (!shape.has_decoder()) return count;
  const Flops narrow = flops(shape.decoder_shape());
  return {count.tokenizer + narrow.tokenizer, count.linear + narrow.linear,
          count.attention + narrow.attention, narrow.head};
}

}  // namespace graticule
