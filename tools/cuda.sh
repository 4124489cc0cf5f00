#!/bin/sh
# cuda.sh JOBS: compiles the rooms core to model, with NCCL and the GPU kernel, against the CUDA build of PyTorch, and links
# their tests. It does not run them: that needs a GPU (docs/cluster.md). CUDA_VENV: the folder for that PyTorch and, unless
# CUDA_HOME names a toolkit 13.0, for the wheels of CUDA's compiler, 6 GB in all (default: build/cuda-venv). Exit 2: you must do
# something by hand, as the message says.
set -eu
cd "$(dirname "$0")/.."
wheels="torch==2.14.1"
[ -n "${CUDA_HOME:-}" ] || wheels="$wheels nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85"
venv=${CUDA_VENV:-build/cuda-venv}

say() { echo "[cuda] $*" >&2; }
if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$wheels" ]; then
  say "installing $wheels into $venv: up to 6 GB"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086 # several words
  "$venv/bin/python" -m pip --disable-pip-version-check install --quiet $wheels
  echo "$wheels" > "$venv/.stamp"
fi
packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
root=${CUDA_HOME:-$packages/nvidia/cu13}
nvcc="$root/bin/nvcc"
if ! "$nvcc" --version 2>/dev/null | grep -q 'release 13\.0'; then
  say "$nvcc is not the compiler of CUDA 13.0: set CUDA_HOME to the folder of the CUDA toolkit 13.0, or unset it"
  exit 2
fi
if [ -z "${CUDA_HOME:-}" ]; then
  # CMake and linkers look for names that wheels lack.
  ln -sfn lib "$root/lib64"
  ln -sf libcudart.so.13 "$root/lib/libcudart.so"
fi
# PyTorch's headers include some that the toolkit may lack. The wheels that PyTorch depends on have them.
CPATH="$packages/nvidia/cu13/include:$packages/nvidia/nccl/include:$packages/nvidia/cudnn/include"
export CPATH CUDACXX="$nvcc" TORCH_CUDA_ARCH_LIST="8.0;9.0"
LIBRARY_PATH="$packages/nvidia/cu13/lib:$packages/nvidia/nccl/lib:$packages/nvidia/cudnn/lib"
export LIBRARY_PATH
cmake --fresh --preset cuda -DTorch_DIR="$packages/torch/share/cmake/Torch" -DCUDA_TOOLKIT_ROOT_DIR="$root" \
  -DCUDA_nvrtc_LIBRARY="$packages/nvidia/cu13/lib/libnvrtc.so.13"
cmake --build --preset cuda --parallel "$1"
say "compiled and linked; no test was run"
