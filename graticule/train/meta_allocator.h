// Meta tensors hold no memory; here each says how much it would hold.
#pragma once

namespace graticule {

/// From now on an allocation of a meta tensor is reported to the thread's memory watch, as those of real
/// tensors are. Done once; without a watch nothing changes.
void book_meta_tensors();

}  // namespace graticule
