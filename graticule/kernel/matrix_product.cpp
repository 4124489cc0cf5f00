#include "graticule/kernel/matrix_product.h"

#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <ATen/ops/empty.h>

#include "graticule/core/error.h"
#include "graticule/kernel/matrix_blocks.h"
#include "graticule/kernel/parallel_loop.h"
#include "graticule/kernel/stand_in.h"

namespace graticule {
namespace {

Element element_of(at::ScalarType dtype) {
  return dtype == at::kFloat ? Element::fp32 : dtype == at::kHalf ? Element::fp16 : Element::bf16;
}

at::Tensor with_unit_stride(const at::Tensor& x) {
  return x.stride(0) == 1 || x.stride(1) == 1 ? x : x.contiguous();
}

/// Whether brgemm reads an operand where it is.
bool has_fp32_rows(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat && x.stride(1) == 1 && x.stride(0) >= x.size(1);
}
bool packs_left(const at::Tensor& a) { return !has_fp32_rows(a); }
bool packs_right(const at::Tensor& b) { return !has_fp32_rows(b) || b.stride(0) > most_right_stride; }

/// fp32 rows as brgemm reads them: `stride` floats apart.
struct Fp32Rows {
  const float* data;
  int64_t stride;
};

Fp32Rows rows_of(const at::Tensor& x, int64_t row, int64_t column) {
  return {x.const_data_ptr<float>() + row * x.stride(0) + column, x.stride(0)};
}

MatrixView view(const at::Tensor& x, int64_t row, int64_t column) {
  const auto* data = static_cast<const char*>(x.const_data_ptr());
  return {data + (row * x.stride(0) + column * x.stride(1)) * x.element_size(), x.stride(0), x.stride(1),
          element_of(x.scalar_type())};
}

/// The block of the packed B that begins at (row, column).
float* packed_block(const at::Tensor& packed, const at::Tensor& b, int64_t row, int64_t column) {
  const int64_t terms = std::min(block_terms, b.size(0) - row);
  return packed.mutable_data_ptr<float>() + right_floats(row, b.size(1)) + terms * column;
}

at::Tensor pack_right(const at::Tensor& b) {
  const int64_t inner = b.size(0), columns = b.size(1), across = ceil_div(columns, block_columns);
  auto packed = at::empty({right_floats(inner, columns)}, b.options().dtype(at::kFloat));
  if (b.is_meta()) return packed;
  for_each_part(ceil_div(inner, block_terms) * across, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t k = block / across * block_terms, column = block % across * block_columns;
      matrix_packing()->pack(view(b, k, column), std::min(block_terms, inner - k),
                             std::min(block_columns, columns - column), packed_block(packed, b, k, column),
                             block_columns);
    }
  });
  return packed;
}

/// The rows of C and the blocks of B of one task. Smaller tasks pack A more often, so they are taken only when
/// threads would be without work.
struct Task {
  int64_t rows, blocks;
};

Task task_for(int64_t rows, int64_t columns) {
  const int64_t across = ceil_div(columns, block_columns), threads = at::get_num_threads();
  Task task{block_rows, task_blocks};
  const auto few = [&] {
    return ceil_div(rows, task.rows) * ceil_div(across, task.blocks) < 4 * threads && threads > 1;
  };
  if (few()) task.rows /= 2;
  while (few() && task.blocks > 1) task.blocks /= 2;
  return task;
}

/// Buffers of a thread: a packed block of A, and sums. Each is undefined if it is not needed.
struct Workspace {
  at::Tensor left, sums;
};

Workspace workspace(const at::Tensor& a, const at::Tensor& out) {
  const auto floats = [&](int64_t count) { return at::empty({count}, a.options().dtype(at::kFloat)); };
  Workspace space;
  if (packs_left(a)) space.left = floats(left_floats);
  if (out.scalar_type() != at::kFloat) space.sums = floats(sum_floats);
  return space;
}

/// One product: out = a b + bias, or out += a b. `right` is b packed, or undefined.
struct Product {
  const at::Tensor &a, &b, &right, &out;
  const float* bias;
  bool add;

  /// Computes `rows` rows of columns [column, column_end) of out.
  void multiply(int64_t row, int64_t rows, int64_t column, int64_t column_end, const Workspace& space) const {
    const int64_t width = column_end - column, inner = a.size(1);
    const bool in_place = !space.sums.defined();
    float* c = in_place ? out.mutable_data_ptr<float>() + row * out.stride(0) + column
                        : space.sums.mutable_data_ptr<float>();
    const int64_t stride = in_place ? out.stride(0) : width;
    if (bias) {
      for (int64_t m = 0; m < rows; ++m) std::copy_n(bias + column, width, c + m * stride);
    }
    for (int64_t k = 0; k < inner; k += block_terms) {
      const int64_t terms = std::min(block_terms, inner - k);
      const Fp32Rows left = left_block(row, rows, k, terms, space);
      for (int64_t n = 0; n < width; n += block_columns) {
        const Fp32Rows block = right.defined()
                                   ? Fp32Rows{packed_block(right, b, k, column + n), block_columns}
                                   : rows_of(b, k, column + n);
        at::native::cpublas::brgemm(rows, std::min(block_columns, width - n), terms, left.stride,
                                    block.stride, stride, add || bias || k > 0, left.data, block.data, c + n);
      }
    }
    if (in_place) return;
    auto* to =
        static_cast<char*>(out.mutable_data_ptr()) + (row * out.stride(0) + column) * out.element_size();
    matrix_packing()->write(c, stride, rows, width, 1, {to, out.stride(0), element_of(out.scalar_type())});
  }

  Fp32Rows left_block(int64_t row, int64_t rows, int64_t k, int64_t terms, const Workspace& space) const {
    if (!space.left.defined()) return rows_of(a, row, k);
    auto* packed = space.left.mutable_data_ptr<float>();
    matrix_packing()->pack(view(a, row, k), rows, terms, packed, left_stride);
    return {packed, left_stride};
  }
};

/// For meta tensors it only allocates its buffers.
void multiply_into(const at::Tensor& a, const at::Tensor& b, const float* bias, bool add,
                   const at::Tensor& out) {
  const int64_t rows = a.size(0), columns = b.size(1);
  const auto right = packs_right(b) ? pack_right(b) : at::Tensor();
  if (out.is_meta()) {
    workspace(a, out);
    return;
  }
  const Product product{a, b, right, out, bias, add};
  const Task task = task_for(rows, columns);
  const int64_t width = task.blocks * block_columns, across = ceil_div(columns, width);
  for_each_part(ceil_div(rows, task.rows) * across, [&](int64_t begin, int64_t end) {
    const auto space = workspace(a, out);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * task.rows, column = i % across * width;
      product.multiply(row, std::min(task.rows, rows - row), column, std::min(column + width, columns),
                       space);
    }
  });
}

}  // namespace

bool prefers_matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN) {
  if (a_MK.size(0) < fewest_rows || b_KN.size(1) < fewest_rows || a_MK.size(1) == 0) return false;
  const auto kernels = kernels_for(a_MK);
  return kernels && a_MK.size(1) <= kernels->block_terms;
}

at::Tensor matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN,
                          const std::optional<at::Tensor>& bias_N, at::ScalarType dtype) {
  if (!matrix_packing()) refuse("matrix_product", "this processor has no AVX2: use at::mm");
  const auto a = with_unit_stride(a_MK), b = with_unit_stride(b_KN);
  const auto bias = bias_N ? bias_N->to(at::kFloat).contiguous() : at::Tensor();
  const auto* bias_data = bias_N && !bias.is_meta() ? bias.const_data_ptr<float>() : nullptr;
  const int64_t inner = a.size(1),
                most = packs_right(b) ? right_terms(b.size(1), dtype == at::kFloat) : inner;
  const auto out = at::empty({a.size(0), b.size(1)}, a.options().dtype(inner > most ? at::kFloat : dtype));
  for (int64_t k = 0; k < inner; k += most) {
    const int64_t terms = std::min(most, inner - k);
    multiply_into(a.narrow(1, k, terms), b.narrow(0, k, terms), k == 0 ? bias_data : nullptr, k > 0, out);
  }
  return out.to(dtype);
}

}  // namespace graticule
