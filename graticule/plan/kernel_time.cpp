#include "graticule/plan/kernel_time.h"

namespace graticule {

double seconds_of(const Kernel& kernel, const Cluster& cluster, Precision precision) {
  const Rates& rates = precision == Precision::bf16 ? cluster.bf16 : cluster.fp32;
  const auto width = static_cast<double>(kernel.width);
  switch (kernel.kind) {
    case Kernel::Kind::linear:
      return kernel.flops / rate_at(rates.linear_by_width, width, rates.linear);
    case Kernel::Kind::attention:
      return kernel.flops / rate_at(rates.attention_by_width, width, rates.attention);
    case Kernel::Kind::pointwise:
      return kernel.bytes / cluster.pointwise;
  }
  return 0;
}

}  // namespace graticule
