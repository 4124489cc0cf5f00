#include "graticule/parallel/parameters.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "graticule/core/error.h"
#include "graticule/core/split_mix.h"

namespace graticule {

std::vector<int64_t> Parameter::local_shape() const {
  std::vector<int64_t> local = shape;
  if (!cut) return local;
  auto& length = local[static_cast<size_t>(cut->dim)];
  length = 0;
  for (const Span& piece : cut->pieces) length += piece.size();
  return local;
}

int64_t Parameter::numel() const { return c10::multiply_integers(local_shape()); }

at::Tensor cut_of(const Parameter& parameter, const at::Tensor& whole) {
  if (!parameter.cut) return whole.clone();
  std::vector<at::Tensor> parts;
  for (const Span& piece : parameter.cut->pieces) {
    parts.push_back(whole.narrow(parameter.cut->dim, piece.begin, piece.size()));
  }
  return at::cat(parts, parameter.cut->dim);
}

void place(const Parameter& parameter, const at::Tensor& local, const at::Tensor& whole) {
  if (!parameter.cut) {
    whole.copy_(local);
    return;
  }
  const int64_t dim = parameter.cut->dim;
  int64_t offset = 0;
  for (const Span& piece : parameter.cut->pieces) {
    whole.narrow(dim, piece.begin, piece.size()).copy_(local.narrow(dim, offset, piece.size()));
    offset += piece.size();
  }
}

int64_t flat_numel(const std::vector<Parameter>& parameters) {
  int64_t sum = 0;
  for (const auto& parameter : parameters) sum += parameter.numel();
  return sum;
}

namespace {

at::Tensor whole_initial_values(const Parameter& parameter, const std::string& full_name, uint64_t seed) {
  at::Tensor values = at::empty(parameter.shape, at::kFloat);
  switch (parameter.init) {
    case Init::zeros:
      return values.zero_();
    case Init::ones:
      return values.fill_(1);
    case Init::given:
      return values.copy_(parameter.first);
    case Init::truncated_normal:
      break;
  }
  // A normal distribution cut at +-2, by the inverse of its distribution function: x = sqrt(2) erfinv(u),
  // with u uniform over the range that the cut leaves.
  auto generator = at::detail::createCPUGenerator(mix_seed({seed, seed_of(full_name)}));
  const double edge = std::erf(std::sqrt(2.0));
  return values.uniform_(-edge, edge, generator).erfinv_().mul_(std::sqrt(2.0) * parameter.deviation);
}

}  // namespace

at::Tensor initial_values(const Parameter& parameter, const std::string& full_name, uint64_t seed) {
  const at::Tensor whole = whole_initial_values(parameter, full_name, seed);
  return parameter.cut ? cut_of(parameter, whole) : whole;
}

void Weights::add(std::string name, at::Tensor value) {
  items_.emplace_back(std::move(name), std::move(value));
}

const at::Tensor& Weights::operator[](std::string_view name) const {
  for (const auto& [item_name, value] : items_) {
    if (item_name == name) return value;
  }
  GRATICULE_CHECK(false, "no weight '", name, "'");
}

Weights as_weights(const std::vector<Parameter>& parameters, const at::Tensor& flat) {
  GRATICULE_CHECK(flat.numel() == flat_numel(parameters), flat.numel(), " elements");
  Weights weights;
  int64_t offset = 0;
  for (const auto& parameter : parameters) {
    weights.add(parameter.name, flat.narrow(0, offset, parameter.numel()).view(parameter.local_shape()));
    offset += parameter.numel();
  }
  return weights;
}

uint64_t mix_seed(std::initializer_list<uint64_t> parts) {
  uint64_t state = 0;
  for (uint64_t part : parts) state = split_mix(state + part + split_mix_step);
  return state;
}

uint64_t seed_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3ULL;
  return hash;
}

}  // namespace graticule
