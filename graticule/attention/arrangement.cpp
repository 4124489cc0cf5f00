#include "graticule/attention/arrangement.h"

#include <numeric>

#include "graticule/core/error.h"

namespace graticule {
namespace {

const std::string with_ulysses = "ulysses+";

/// The method of "ulysses+METHOD" or "METHOD"; nothing for "ulysses".
std::optional<ContextMethod> method_in(const std::string& where, const std::string& scheme) {
  if (scheme == "ulysses") return std::nullopt;
  if (scheme == "auto") return ContextMethod::mesh;
  const auto method = value_named<ContextMethod>(
      scheme.starts_with(with_ulysses) ? scheme.substr(with_ulysses.size()) : scheme);
  if (!method) {
    refuse(where, "scheme is \"", scheme, R"(": choose "auto", "ulysses", )", words_of<ContextMethod>(),
           R"x(, or a pair such as ("ulysses", "ring"))x");
  }
  return method;
}

}  // namespace

Arrangement arrange(const std::string& where, const std::string& scheme, int64_t ranks, int64_t heads,
                    const std::optional<MeshSizes>& sizes) {
  const auto method = method_in(where, scheme);
  const bool two_axes = scheme == "auto" || scheme.starts_with(with_ulysses);
  if (sizes && !two_axes) {
    refuse(where, "scheme \"", scheme, "\" over a device mesh of ", sizes->context, " x ", sizes->ulysses,
           R"( ranks: choose "auto" or a pair such as ("ulysses", "ring"), or give one axis of the mesh)");
  }
  int64_t ulysses = 1;
  if (sizes) {
    ulysses = sizes->ulysses;
  } else if (two_axes) {
    ulysses = std::gcd(ranks, heads);
  } else if (!method) {
    ulysses = ranks;
  }
  if (ulysses > heads) {
    refuse(where, "ulysses over ", ulysses, " ranks needs ", ulysses, " heads or more, and q has ", heads,
           ": choose scheme \"auto\", or let fewer ranks share heads");
  }
  return {ranks / ulysses, ulysses, method.value_or(ContextMethod::mesh)};
}

}  // namespace graticule
