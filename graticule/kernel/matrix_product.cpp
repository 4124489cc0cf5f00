#include "graticule/kernel/matrix_product.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include "graticule/core/error.h"
#include "graticule/kernel/matrix_tiles.h"
#include "graticule/kernel/parallel_loop.h"
#include "graticule/kernel/stand_in.h"

namespace graticule {
namespace {

constexpr int64_t panels_a_task = 8;

Element element_of(at::ScalarType dtype) {
  return dtype == at::kFloat ? Element::fp32 : dtype == at::kHalf ? Element::fp16 : Element::bf16;
}

at::Tensor with_unit_stride(const at::Tensor& x) {
  return x.stride(0) == 1 || x.stride(1) == 1 ? x : x.contiguous();
}

MatrixView view(const at::Tensor& x, int64_t row, int64_t column) {
  const auto* data = static_cast<const char*>(x.const_data_ptr());
  return {data + (row * x.stride(0) + column * x.stride(1)) * x.element_size(), x.stride(0), x.stride(1),
          element_of(x.scalar_type())};
}

HeadOutput output(const at::Tensor& x, int64_t row, int64_t column) {
  auto* data = static_cast<char*>(x.mutable_data_ptr());
  return {data + (row * x.stride(0) + column) * x.element_size(), x.stride(0), element_of(x.scalar_type())};
}

at::Tensor pack_panels(const MatrixTiles& tiles, const at::Tensor& b) {
  const int64_t inner = b.size(0), columns = b.size(1), panels = ceil_div(columns, tiles.panel);
  auto packed = at::empty({panels, inner * tiles.panel}, b.options().dtype(at::kFloat));
  if (b.is_meta()) return packed;
  auto* data = packed.mutable_data_ptr<float>();
  for_each_part(panels, [&](int64_t begin, int64_t end) {
    const auto scratch = at::empty({tiles.panel * tiles.depth}, at::kFloat);
    for (int64_t p = begin; p < end; ++p) {
      const int64_t count = std::min(tiles.panel, columns - p * tiles.panel);
      tiles.pack_right(view(b, 0, p * tiles.panel), inner, count, data + p * inner * tiles.panel,
                       scratch.mutable_data_ptr<float>());
    }
  });
  return packed;
}

/// Buffers of a thread: packed rows of a, and sums.
struct Workspace {
  at::Tensor left, sums;
};

Workspace workspace(const MatrixTiles& tiles, int64_t inner, const at::TensorOptions& options) {
  return {at::empty({left_floats(tiles, inner)}, options.dtype(at::kFloat)),
          at::empty({sum_floats(tiles)}, options.dtype(at::kFloat))};
}

/// out = a b + bias, or out += a b. A task is 192 rows by 8 panels. For meta tensors it only allocates its
/// buffers.
void multiply_into(const MatrixTiles& tiles, const at::Tensor& a, const at::Tensor& b, const float* bias,
                   bool add, const at::Tensor& out) {
  const int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  const auto packed = pack_panels(tiles, b);
  if (out.is_meta()) {
    workspace(tiles, inner, out.options());
    return;
  }
  const auto* right = packed.const_data_ptr<float>();
  const int64_t panels = ceil_div(columns, tiles.panel), groups = ceil_div(panels, panels_a_task);
  const int64_t blocks = ceil_div(rows, tiles.rows);
  for_each_part(blocks * groups, [&](int64_t begin, int64_t end) {
    const auto [left, scratch] = workspace(tiles, inner, at::kCPU);
    auto* sums = scratch.mutable_data_ptr<float>();
    for (int64_t task = begin, packed_block = -1; task < end; ++task) {
      const int64_t block = task / groups, row = block * tiles.rows, count = std::min(tiles.rows, rows - row);
      if (block != packed_block)
        tiles.pack_left(view(a, row, 0), inner, count, left.mutable_data_ptr<float>(), sums);
      packed_block = block;
      for (int64_t p = task % groups * panels_a_task;
           p < std::min(panels, (task % groups + 1) * panels_a_task); ++p) {
        const int64_t column = p * tiles.panel, width = std::min(tiles.panel, columns - column);
        tiles.multiply(left.const_data_ptr<float>(), right + p * inner * tiles.panel, count, inner, width,
                       sums);
        tiles.write(sums, count, width, bias ? bias + column : nullptr, add, output(out, row, column));
      }
    }
  });
}

}  // namespace

bool matrix_product_wins(at::ScalarType dtype) {
  const bool has_tiles = dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf;
  return has_tiles && matrix_tiles_win(element_of(dtype));
}

bool prefers_matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN) {
  if (a_MK.size(0) < fewest_rows || b_KN.size(1) < fewest_rows || a_MK.size(1) == 0) return false;
  const auto kernels = kernels_for(a_MK);
  return kernels && kernels->packs_products;
}

at::Tensor matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN,
                          const std::optional<at::Tensor>& bias_N, at::ScalarType dtype) {
  if (!matrix_tiles()) refuse("matrix_product", "this processor has no AVX2: use at::mm");
  const auto& tiles = *matrix_tiles();
  const auto a = with_unit_stride(a_MK), b = with_unit_stride(b_KN);
  const auto bias = bias_N ? bias_N->to(at::kFloat).contiguous() : at::Tensor();
  const auto* bias_data = bias_N && !bias.is_meta() ? bias.const_data_ptr<float>() : nullptr;
  const int64_t inner = a.size(1);
  const auto out =
      at::empty({a.size(0), b.size(1)}, a.options().dtype(inner > most_inner ? at::kFloat : dtype));
  for (int64_t k = 0; k < inner; k += most_inner) {
    const int64_t terms = std::min(most_inner, inner - k);
    multiply_into(tiles, a.narrow(1, k, terms), b.narrow(0, k, terms), k == 0 ? bias_data : nullptr, k > 0,
                  out);
  }
  return out.to(dtype);
}

}  // namespace graticule
