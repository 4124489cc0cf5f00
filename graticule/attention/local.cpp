#include "graticule/attention/attention.h"
#include "graticule/attention/schemes.h"
#include "graticule/core/trace.h"

namespace graticule {

ContextScheme local_scheme() {
  return {[](const auto&... qkv) {
            return all_in_attend<FlashResult>([qkv...] {
              const Scope scope("attention");
              return flash_forward(qkv...);
            });
          },
          [](const auto&... saved) {
            return all_in_attend<FlashGradients>([saved...] {
              const Scope scope("attention");
              return flash_backward(saved...);
            });
          }};
}

Attention local_attention() {
  const Scheme scheme = outermost(local_scheme());
  return {differentiable(scheme), scheme};
}

}  // namespace graticule
