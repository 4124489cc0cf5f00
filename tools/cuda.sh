#!/bin/sh
# cuda.sh JOBS: compiles the rooms core to model, with NCCL and the GPU kernel, against the CUDA build of PyTorch, and links
# their tests. It does not run them: that needs a GPU (docs/cluster.md). CUDA_VENV: the folder for that PyTorch, 5.4 GB
# (default: build/cuda-venv). CUDA_HOME: the CUDA toolkit, 13.0 (default: /usr/local/cuda). Exit 2: you must do something by
# hand, as the message says.
set -eu
cd "$(dirname "$0")/.."
torch=torch==2.14.1
venv=${CUDA_VENV:-build/cuda-venv}

say() { echo "[cuda] $*" >&2; }
root=${CUDA_HOME:-/usr/local/cuda}
nvcc="$root/bin/nvcc"
if ! "$nvcc" --version 2>/dev/null | grep -q 'release 13\.0'; then
  say "$nvcc is not the compiler of CUDA 13.0: install the CUDA toolkit 13.0, and set CUDA_HOME to its folder"
  exit 2
fi
if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$torch" ]; then
  say "installing $torch with CUDA into $venv: 5.4 GB"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip --disable-pip-version-check install --quiet "$torch"
  echo "$torch" > "$venv/.stamp"
fi
packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# PyTorch's headers include some that the toolkit may lack. The wheels that PyTorch depends on have them.
CPATH="$packages/nvidia/cu13/include:$packages/nvidia/nccl/include:$packages/nvidia/cudnn/include"
export CPATH CUDACXX="$nvcc" TORCH_CUDA_ARCH_LIST="8.0;9.0"
LIBRARY_PATH="$packages/nvidia/cu13/lib:$packages/nvidia/nccl/lib:$packages/nvidia/cudnn/lib"
export LIBRARY_PATH
cmake --fresh --preset cuda -DTorch_DIR="$packages/torch/share/cmake/Torch" -DCUDA_TOOLKIT_ROOT_DIR="$root" \
  -DCUDA_nvrtc_LIBRARY="$packages/nvidia/cu13/lib/libnvrtc.so.13"
cmake --build --preset cuda --parallel "$1"
say "compiled and linked; no test was run"
