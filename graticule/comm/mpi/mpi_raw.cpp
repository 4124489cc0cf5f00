#include "graticule/comm/mpi/mpi_raw.h"

#include <mpi.h>

namespace graticule {
namespace {

bool joined() {
  int started = 0, ended = 0;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  return started && !ended;
}

MPI_Datatype summable(at::ScalarType type) {
  if (type == at::kFloat) return MPI_FLOAT;
  if (type == at::kDouble) return MPI_DOUBLE;
  return MPI_DATATYPE_NULL;
}

}  // namespace

std::function<void()> raw_mpi(RawCall call, const at::Tensor& in, const at::Tensor& out) {
  if (!joined()) return nullptr;
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  void *from = in.data_ptr(), *to = out.data_ptr();
  const int in_bytes = static_cast<int>(in.nbytes()), out_bytes = static_cast<int>(out.nbytes());
  const int elements = static_cast<int>(out.numel());
  const MPI_Datatype type = summable(in.scalar_type());
  const int next = (rank + 1) % size, previous = (rank + size - 1) % size;
  switch (call) {
    case RawCall::all_to_all:
      return [=] {
        MPI_Alltoall(from, in_bytes / size, MPI_BYTE, to, in_bytes / size, MPI_BYTE, MPI_COMM_WORLD);
      };
    case RawCall::all_gather:
      return [=] { MPI_Allgather(from, in_bytes, MPI_BYTE, to, in_bytes, MPI_BYTE, MPI_COMM_WORLD); };
    case RawCall::reduce_scatter:
      if (type == MPI_DATATYPE_NULL) return nullptr;
      return [=] { MPI_Reduce_scatter_block(from, to, elements, type, MPI_SUM, MPI_COMM_WORLD); };
    case RawCall::all_reduce:
      if (type == MPI_DATATYPE_NULL) return nullptr;
      return [=] { MPI_Allreduce(from, to, elements, type, MPI_SUM, MPI_COMM_WORLD); };
    case RawCall::broadcast:
      return [=] { MPI_Bcast(to, out_bytes, MPI_BYTE, 0, MPI_COMM_WORLD); };
    case RawCall::exchange:
      return [=] {
        MPI_Sendrecv(from, in_bytes, MPI_BYTE, next, 0, to, out_bytes, MPI_BYTE, previous, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
      };
    case RawCall::barrier:
      return [] { MPI_Barrier(MPI_COMM_WORLD); };
  }
  return nullptr;
}

}  // namespace graticule
