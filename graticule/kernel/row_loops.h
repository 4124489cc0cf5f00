// The row kernels of the instruction set for which a file is compiled (row_kernels.h).
#pragma once

#include "graticule/kernel/form_loops.h"
#include "graticule/kernel/row_kernels.h"
#include "graticule/kernel/vector_lanes.h"

namespace graticule {
namespace {

template <class T>
T* row(void* all, int64_t i, int64_t width) {
  return static_cast<T*>(all) + i * width;
}

template <class T>
const T* row(const void* all, int64_t i, int64_t width) {
  return static_cast<const T*>(all) + i * width;
}

/// Runs `body` with a null pointer to the type of the element, fp32 or bf16.
template <class Body>
void with_element(Element element, const Body& body) {
  element == Element::bf16 ? body(static_cast<const Bf16*>(nullptr))
                           : body(static_cast<const float*>(nullptr));
}

/// The variance is the mean of (x - mean)^2, in a second pass over the row: it loses no digits to the mean.
template <class T>
void norm_rows(const NormForward& all, int64_t begin, int64_t end) {
  const int64_t C = all.width;
  const auto of_width = 1 / static_cast<float>(C);
  for (int64_t n = begin; n < end; ++n) {
    const T* x = row<T>(all.x_NC, n, C);
    Floats total{};
    if (all.branch_NC) {
      const T* branch = row<T>(all.branch_NC, n, C);
      T* added = row<T>(all.sum_NC, n, C);
      for_lanes(
          C, [&](const auto& in, const auto& out, const auto&) { total += out(added, in(x) + in(branch)); });
      x = added;
    } else {
      for_lanes(C, [&](const auto& in, const auto&, const auto&) { total += in(x); });
    }
    const float mean = sum(total) * of_width;
    Floats squares{};
    for_lanes(C, [&](const auto& in, const auto&, const auto& some) {
      const Floats apart = some(in(x)-mean);
      squares += apart * apart;
    });
    const float variance = sum(squares) * of_width;
    // Where the squares overflow, the difference is NaN and so is the row. Else it is 0.
    const float r = 1 / __builtin_sqrtf(variance + all.epsilon) + (variance - variance);
    T* normed = row<T>(all.normed_NC, n, C);
    const T *weight = row<T>(all.weight_C, 0, C), *bias = row<T>(all.bias_C, 0, C);
    for_lanes(C, [&](const auto& in, const auto& out, const auto&) {
      out(normed, (in(x)-mean) * r * in(weight) + in(bias));
    });
    all.mean_N[n] = mean, all.r_N[n] = r;
  }
}

template <class T>
void norm_rows_backward(const NormBackward& all, int64_t begin, int64_t end, float* dweight_dbias) {
  const int64_t C = all.width;
  const auto of_width = 1 / static_cast<float>(C);
  const T* weight = row<T>(all.weight_C, 0, C);
  float *dweight = dweight_dbias, *dbias = dweight_dbias + C;
  for (int64_t n = begin; n < end; ++n) {
    const T *x = row<T>(all.sum_NC, n, C), *dy = row<T>(all.dnormed_NC, n, C);
    const float mean = all.mean_N[n], r = all.r_N[n];
    Floats g_total{}, gz_total{};
    for_lanes(C, [&](const auto& in, const auto& out, const auto&) {
      const Floats d = in(dy), z = (in(x)-mean) * r, g = d * in(weight);
      out(dweight, in(dweight) + d * z);
      out(dbias, in(dbias) + d);
      g_total += g, gz_total += g * z;
    });
    const float g_mean = sum(g_total) * of_width, gz_mean = sum(gz_total) * of_width;
    T* dx = row<T>(all.dx_NC, n, C);
    const T* residual = all.dresidual_NC ? row<T>(all.dresidual_NC, n, C) : nullptr;
    for_lanes(C, [&](const auto& in, const auto& out, const auto&) {
      const Floats z = (in(x)-mean) * r;
      const Floats d = (in(dy)*in(weight)-g_mean - z * gz_mean) * r;
      out(dx, residual ? d + in(residual) : d);
    });
  }
}

template <class T>
void add_rows(const void* x, int64_t width, int64_t begin, int64_t end, float* sums) {
  for (int64_t n = begin; n < end; ++n) {
    const T* from = row<T>(x, n, width);
    for_lanes(width, [&](const auto& in, const auto& out, const auto&) { out(sums, in(sums) + in(from)); });
  }
}

struct Normal {
  Floats probability, density;  ///< P(x) and p(x)
};

/// p(x) = exp(-x^2 / 2) / sqrt(2 pi), and P(-|x|) = exp(-x^2 / 2) t Q(t) with t = 1 / (1 + 0.34 |x|). Q is a
/// minimax polynomial for |x| <= 13 with relative error 2.3e-8; so P is right relatively, also where it is
/// small.
inline Normal normal(Floats x) {
  const Floats size = x < 0 ? -x : x;
  const Floats e = exp2_of_negative(x * x * -0.72134752f);  // log2(e) / 2
  const Floats t = 1 / (1 + size * 0.34f);
  Floats q = t * -2.6626235e-2f + 1.4187695e-1f;
  q = q * t - 2.7786389e-1f;
  q = q * t + 2.0737256e-1f;
  q = q * t - 4.8139986e-2f;
  q = q * t + 1.1674294e-1f;
  q = q * t + 1.1486340e-1f;
  q = q * t + 1.3615616e-1f;
  q = q * t + 1.3561809e-1f;
  const Floats tail = e * t * q;
  return {x < 0 ? tail : 1 - tail, e * 0.39894228f};
}

template <class T>
void gelu(const T* x, T* y, int64_t count) {
  for_lanes(count, [&](const auto& in, const auto& out, const auto&) {
    const Floats v = in(x);
    out(y, v * normal(v).probability);
  });
}

template <class T>
void gelu_back(const T* x, const T* dy, T* dx, int64_t count) {
  for_lanes(count, [&](const auto& in, const auto& out, const auto&) {
    const Floats v = in(x);
    const Normal at = normal(v);
    out(dx, in(dy) * (at.probability + v * at.density));
  });
}

constexpr RowKernels kernels_of_this_file{
    [](const NormForward& all, int64_t begin, int64_t end) {
      with_element(all.element, [&]<class T>(const T*) { norm_rows<T>(all, begin, end); });
    },
    [](const NormBackward& all, int64_t begin, int64_t end, float* dweight_dbias) {
      with_element(all.element,
                   [&]<class T>(const T*) { norm_rows_backward<T>(all, begin, end, dweight_dbias); });
    },
    [](Element element, const void* x, int64_t width, int64_t begin, int64_t end, float* sums) {
      with_element(element, [&]<class T>(const T*) { add_rows<T>(x, width, begin, end, sums); });
    },
    [](Element element, const void* x, void* y, int64_t begin, int64_t end) {
      with_element(element,
                   [&]<class T>(const T*) { gelu(row<T>(x, begin, 1), row<T>(y, begin, 1), end - begin); });
    },
    [](Element element, const void* x, const void* dy, void* dx, int64_t begin, int64_t end) {
      with_element(element, [&]<class T>(const T*) {
        gelu_back(row<T>(x, begin, 1), row<T>(dy, begin, 1), row<T>(dx, begin, 1), end - begin);
      });
    },
    [](const FormForward& all, const FormPart& part, float* scratch) {
      with_element(all.form.element, [&]<class T>(const T*) { form_rows<T>(all, part, scratch); });
    },
    [](const FormBackward& all, const FormPart& part, float* scratch, float* sums) {
      with_element(all.form.element,
                   [&]<class T>(const T*) { form_rows_backward<T>(all, part, scratch, sums); });
    }};

}  // namespace
}  // namespace graticule
