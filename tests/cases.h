// The cases for the tests of the attention kernels. Legend: graticule/kernel/flash.h.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/randn.h>

#include <optional>
#include <ostream>
#include <vector>

namespace graticule::cases {

enum class Values { ordinary, huge_scores, constant_rows, denormal };
enum class Layout { tokens_first, heads_first, every_other };

struct AttentionCase {
  int64_t batch, queries, keys, heads, groups, width;
  at::ScalarType dtype = at::kFloat;
  std::optional<double> scale = std::nullopt;
  Values values = Values::ordinary;
  Layout layout = Layout::tokens_first;
};

inline std::ostream& operator<<(std::ostream& out, const AttentionCase& c) {
  return out << "batch " << c.batch << ", queries " << c.queries << ", keys " << c.keys << ", heads "
             << c.heads << "/" << c.groups << ", width " << c.width << ", " << c.dtype << ", values "
             << static_cast<int>(c.values) << ", layout " << static_cast<int>(c.layout) << ", scale "
             << c.scale.value_or(-1);
}

struct AttentionInputs {
  at::Tensor q_BTHD, k_BSGD, v_BSGD, dout_BTHD;
};

/// A random [batch, tokens, heads, width] tensor in the layout of the case.
inline at::Tensor random_heads(const AttentionCase& c, int64_t tokens, int64_t heads) {
  switch (c.layout) {
    case Layout::heads_first:
      return at::randn({c.batch, heads, tokens, c.width}).to(c.dtype).transpose(1, 2);
    case Layout::every_other:
      return at::randn({c.batch, tokens, heads, 2 * c.width}).to(c.dtype).slice(3, 0, 2 * c.width, 2);
    default:
      return at::randn({c.batch, tokens, heads, c.width}).to(c.dtype);
  }
}

inline AttentionInputs make_inputs(const AttentionCase& c) {
  AttentionInputs x{random_heads(c, c.queries, c.heads), random_heads(c, c.keys, c.groups),
                    random_heads(c, c.keys, c.groups), random_heads(c, c.queries, c.heads)};
  if (c.values == Values::huge_scores) {  // scale q . k of about 1e4
    x.q_BTHD.mul_(100);
    x.k_BSGD.mul_(100);
  }
  if (c.values == Values::constant_rows) x.k_BSGD.copy_(x.k_BSGD.narrow(1, 0, 1).clone().expand_as(x.k_BSGD));
  if (c.values == Values::denormal) {
    const double tiny = c.dtype == at::kHalf ? 1e-6 : 1e-39;
    x.k_BSGD.mul_(tiny);
    x.v_BSGD.mul_(tiny);
  }
  return x;
}

inline std::vector<AttentionCase> attention_cases() {
  std::vector<AttentionCase> table{
      {1, 1, 1, 1, 1, 1},
      {1, 1, 1, 1, 1, 256},
      {2, 1, 97, 3, 3, 64},
      {1, 97, 1, 2, 1, 64},
      {1, 64, 96, 1, 1, 64},
      {2, 257, 193, 4, 2, 64},
      {1, 131, 389, 6, 1, 32},
      {1, 100, 300, 2, 2, 80},
      {1, 61, 67, 2, 2, 17},
      {1, 200, 130, 2, 2, 128},
      {1, 45, 210, 1, 1, 255},
      {1, 33, 40, 2, 2, 256},
      {1, 300, 300, 1, 1, 7},
      {1, 130, 257, 2, 2, 64, at::kFloat, 0.7},
      {1, 50, 70, 2, 2, 16, at::kFloat, -0.3},
      {1, 50, 70, 2, 1, 16, at::kFloat, 0.0},
  };
  const size_t shapes = table.size();
  for (size_t i = 0; i < shapes; ++i) {
    for (const auto dtype : {at::kBFloat16, at::kHalf}) {
      table.push_back(table[i]);
      table.back().dtype = dtype;
    }
  }
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    table.push_back({1, 70, 190, 2, 2, 64, dtype, std::nullopt, Values::huge_scores});
    table.push_back({1, 70, 190, 2, 2, 64, dtype, std::nullopt, Values::constant_rows});
    table.push_back({1, 70, 190, 2, 2, 64, dtype, std::nullopt, Values::denormal});
    table.push_back({2, 70, 190, 4, 2, 48, dtype, std::nullopt, Values::ordinary, Layout::heads_first});
    table.push_back({2, 70, 190, 4, 2, 33, dtype, std::nullopt, Values::ordinary, Layout::every_other});
  }
  return table;
}

}  // namespace graticule::cases
