#include "graticule/footprint/cpu_scratch.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include "graticule/kernel/stand_in.h"
#include "graticule/kernel/torch_types.h"

namespace graticule {

Scratch scratch_of(const TrainOptions& train) {
  const auto kernels =
      kernels_for(at::empty({0}, at::TensorOptions(at::kMeta).dtype(scalar_type(train.precision))));
  if (train.device != DeviceKind::cpu || !kernels) return {};
  return {at::get_num_threads(), cpu_tiles(kernels->attention), kernels->block_terms};
}

}  // namespace graticule
