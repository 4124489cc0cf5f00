// The loops of form_rows.h for one instruction set. A row is widened to fp32 in scratch memory, worked on head by
// head, and rounded once. A head's last vector may reach into the next head. There it either writes what was
// there before, or what the next head overwrites; the scratch has room for one vector more.
#pragma once

#include "graticule/kernel/form_rows.h"
#include "graticule/kernel/vector_lanes.h"

namespace graticule {
namespace {

/// v in the first n lanes, `rest` in the others.
inline Floats first_lanes(int64_t n, Floats v, Floats rest) {
  Ints number{};
  for (int i = 0; i < lanes; ++i) number[i] = i;
  return number < Ints{} + static_cast<int32_t>(n) ? v : rest;
}

/// Copies n numbers and converts them.
template <class From, class To>
void convert(const From* from, To* to, int64_t n) {
  for_lanes(n, [&](const auto& in, const auto& out, const auto&) { out(to, in(from)); });
}

/// Parts of the scratch memory, one after the other.
struct RowScratch {
  float* next;

  float* take(int64_t n) {
    float* part = next;
    next += n + lanes;
    return part;
  }
};

/// What is added to the heads of one variable, [heads, width] in fp32; zeros if nothing is.
template <class T>
void take_variable(const void* added, int64_t variables, int64_t variable, int64_t heads, int64_t width,
                   float* to) {
  for (int64_t h = 0; h < heads; ++h) {
    if (added) {
      convert(static_cast<const T*>(added) + (h * variables + variable) * width, to + h * width, width);
    } else {
      for (int64_t i = 0; i < width; ++i) to[h * width + i] = 0;
    }
  }
}

inline void add(const float* x, const float* y, float* sum, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes) store(sum + i, load(x + i) + load(y + i));
}

inline void copy(const float* x, float* to, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes) store(to + i, load(x + i));
}

inline float product(const float* x, const float* y, int64_t n) {
  Floats total{};
  for (int64_t i = 0; i < n; i += lanes) total += first_lanes(n - i, load(x + i) * load(y + i), Floats{});
  return sum(total);
}

/// x = x a + y b.
inline void combine(float* x, float a, const float* y, float b, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes) {
    const Floats v = load(x + i);
    store(x + i, first_lanes(n - i, v * a + load(y + i) * b, v));
  }
}

/// `scale` times the pairs (x[f], x[F + f]) turned by the angles; by the opposite ones if sign is -1.
inline void turn(float* x, const float* cos, const float* sin, int64_t F, float scale, float sign) {
  for (int64_t f = 0; f < F; f += lanes) {
    const Floats a = load(x + f), b = load(x + F + f), c = load(cos + f) * scale,
                 s = load(sin + f) * (scale * sign);
    store(x + f, first_lanes(F - f, a * c - b * s, a));
    const Floats now = load(x + F + f);
    store(x + F + f, first_lanes(F - f, a * s + b * c, now));
  }
}

/// Gives x the length `scale`; returns 1 / its length before.
inline float direct(float* x, int64_t K, float epsilon, float scale) {
  const float of_length = 1 / __builtin_sqrtf(product(x, x, K) + epsilon);
  combine(x, of_length * scale, x, 0, K);
  return of_length;
}

template <class T>
void form_rows(const FormForward& all, const FormPart& part, float* memory) {
  const auto& [element, H, G, D, K, F, cosine, turns_content, root, epsilon] = all.form;
  const int64_t queries = all.form.query_width(), keys = all.form.key_width();
  RowScratch scratch{memory};
  float *added_q = scratch.take(queries), *added_k = scratch.take(keys), *x = scratch.take(queries + keys),
        *y = scratch.take(queries + G * D), *cos = scratch.take(F), *sin = scratch.take(F);
  take_variable<T>(all.added_HVD, all.variables, part.variable, H, D, added_q);
  take_variable<T>(all.added_GVK, all.variables, part.variable, G, K, added_k);
  for (int64_t i = 0; i < part.count; ++i) {
    const int64_t n = part.row + i, t = part.token + i;
    const T* from = static_cast<const T*>(all.projected_NW) + n * all.form.projection_width();
    T* to = static_cast<T*>(all.heads_NX) + n * all.form.heads_width();
    convert(from, x, queries + keys);
    convert(all.cos_TF + t * F, cos, F), convert(all.sin_TF + t * F, sin, F);
    for (int64_t h = 0; h < H; ++h) {
      float* q = y + h * D;
      add(x + h * D, added_q + h * D, q, D);
      if (cosine) all.of_q_NH[n * H + h] = direct(q, K, epsilon, all.scale_H[h]);
      turns_content ? turn(q, cos, sin, F, 1, 1) : turn(q + K, cos, sin, F, root, 1);
    }
    for (int64_t g = 0; g < G; ++g) {
      float* k = y + (H + g) * D;
      add(x + queries + g * K, added_k + g * K, k, K);
      if (cosine) all.of_k_NG[n * G + g] = direct(k, K, epsilon, 1);
      if (turns_content) {
        turn(k, cos, sin, F, 1, 1);
      } else {
        copy(cos, k + K, F), copy(sin, k + K + F, F);
      }
    }
    convert(y, to, queries + G * D);
    convert(from + queries + keys, to + queries + G * D, G * D);
  }
}

/// Adds to `sums` (HeadForm::sums) those of these rows. With y = s x i, i = 1 / |x|, and the upstream gradient
/// dy: dx = s i dy - y (y dy) i / s, and d log(s) = y dy.
template <class T>
void form_rows_backward(const FormBackward& all, const FormPart& part, float* memory, float* sums) {
  const auto& [element, H, G, D, K, F, cosine, turns_content, root, epsilon] = all.form;
  const int64_t queries = all.form.query_width(), keys = all.form.key_width(), both = queries + G * D;
  RowScratch scratch{memory};
  float *dy = scratch.take(both), *y = scratch.take(both), *dx = scratch.take(queries + keys),
        *cos = scratch.take(F), *sin = scratch.take(F);
  for (int64_t i = 0; i < part.count; ++i) {
    const int64_t n = part.row + i, t = part.token + i;
    const T* from = static_cast<const T*>(all.dheads_NX) + n * all.form.heads_width();
    T* to = static_cast<T*>(all.dprojected_NW) + n * all.form.projection_width();
    convert(from, dy, both);
    if (cosine) convert(static_cast<const T*>(all.heads_NX) + n * all.form.heads_width(), y, both);
    convert(all.cos_TF + t * F, cos, F), convert(all.sin_TF + t * F, sin, F);
    for (int64_t h = 0; h < H; ++h) {
      float* dq = dx + h * D;
      copy(dy + h * D, dq, D);
      if (cosine) {
        const float of_length = all.of_q_NH[n * H + h], scale = all.scale_H[h];
        const float along = product(dq, y + h * D, K);
        combine(dq, of_length * scale, y + h * D, -along * of_length / scale, K);
        sums[queries + keys + h] += along;
      }
      turns_content ? turn(dq, cos, sin, F, 1, -1) : turn(dq + K, cos, sin, F, root, -1);
    }
    for (int64_t g = 0; g < G; ++g) {
      float *dk = dx + queries + g * K, *k = y + (H + g) * D;
      copy(dy + (H + g) * D, dk, K);
      if (cosine) {
        const float of_length = all.of_k_NG[n * G + g];
        combine(dk, of_length, k, -product(dk, k, K) * of_length, K);
      }
      if (turns_content) turn(dk, cos, sin, F, 1, -1);
    }
    convert(dx, to, queries + keys);
    convert(from + both, to + queries + keys, G * D);
    for_lanes(queries + keys,
              [&](const auto& in, const auto& out, const auto&) { out(sums, in(sums) + in(dx)); });
  }
}

}  // namespace
}  // namespace graticule
