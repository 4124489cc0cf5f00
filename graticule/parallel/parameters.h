// The parameters of a block: names, shapes, initial values, and the part that a rank of the tensor axis has.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graticule/core/span.h"

namespace graticule {

/// How a parameter starts.
enum class Init { zeros, ones, truncated_normal, given };

/// The part of a parameter that this rank of the tensor axis has: the ranges `pieces`, in order, of dim
/// `dim`.
struct Cut {
  int64_t dim = 0;
  std::vector<Span> pieces;
};

/// One parameter of a block.
struct Parameter {
  std::string name;            ///< within its block: "attention.qkv.weight"
  std::vector<int64_t> shape;  ///< of the whole model's parameter
  Init init = Init::truncated_normal;
  double deviation = 0.02;                ///< of truncated_normal (cut at two deviations)
  bool decay = true;                      ///< weight decay applies
  std::optional<Cut> cut = std::nullopt;  ///< absent: every rank has the whole parameter
  at::Tensor first = {};                  ///< of Init::given: the whole initial values, or some to broadcast

  /// The shape of this rank's part.
  std::vector<int64_t> local_shape() const;
  /// Elements of this rank's part.
  int64_t numel() const;
};

/// A copy of this rank's part of the whole parameter.
at::Tensor cut_of(const Parameter& parameter, const at::Tensor& whole);
/// The inverse of cut_of: writes this rank's part to its place in `whole`.
void place(const Parameter& parameter, const at::Tensor& local, const at::Tensor& whole);

/// The elements of this rank's parts of all parameters, which are stored one behind the other in one flat
/// buffer.
int64_t flat_numel(const std::vector<Parameter>& parameters);

/// The initial values of this rank's part of one parameter (fp32). The whole parameter depends only on the
/// seed and on `full_name` ("blocks.3.mlp.fc1.weight"), so it does not depend on the layout.
at::Tensor initial_values(const Parameter& parameter, const std::string& full_name, uint64_t seed);

/// The weights of one block by name: views of the flat buffer. An unknown name is a bug (std::logic_error).
class Weights {
 public:
  void add(std::string name, at::Tensor value);
  const at::Tensor& operator[](std::string_view name) const;
  const std::vector<std::pair<std::string, at::Tensor>>& items() const& { return items_; }

 private:
  std::vector<std::pair<std::string, at::Tensor>> items_;
};

/// Cuts a flat buffer into its parameters' views.
Weights as_weights(const std::vector<Parameter>& parameters, const at::Tensor& flat);

/// Mixes numbers into one 64-bit seed, with SplitMix64 for each number in turn.
uint64_t mix_seed(std::initializer_list<uint64_t> parts);
/// The FNV-1a hash of a text, to derive a seed from a name.
uint64_t seed_of(std::string_view text);

}  // namespace graticule
