#!/bin/sh
# Installs what is missing on a Debian machine: packages of the system, then .venv in the tree. A second call checks and
# returns at once. `setup.sh lint` adds the LLVM tools. Exit 2: something must be done by hand, the message says what.
set -eu
cd "$(dirname "$0")/.."

build_packages="ca-certificates cmake ninja-build g++ pkg-config python3 python3-venv
  libgdal-dev libnetcdf-dev libhdf5-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev
  libsimgrid-dev libblosc-dev libzstd-dev zlib1g-dev libgtest-dev libgmock-dev libbenchmark-dev"
lint_packages="clang-format-14 clang-tidy-14"

say() { echo "[setup] $*" >&2; }
give_up() { say "$@"; exit 2; }

missing_packages() {
  for package in "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=absent
    [ "$status" = installed ] || printf '%s ' "$package"
  done
}

install_packages() {
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  by_hand="apt-get update && apt-get install --no-install-recommends $missing"
  if [ "$(id -u)" = 0 ]; then
    as_root="env DEBIAN_FRONTEND=noninteractive"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    say "installing Debian packages with sudo, which may ask for your password: $missing"
    as_root="sudo env DEBIAN_FRONTEND=noninteractive"
  else
    give_up "Debian packages are missing and this user cannot install them. Ask an administrator to run: $by_hand"
  fi
  say "installing Debian packages: $missing"
  $as_root dpkg --configure -a || true # ends an installation that was cut short
  $as_root apt-get update -q || say "apt-get update failed: going on with the package lists that are there"
  # shellcheck disable=SC2086 # a list of words
  $as_root apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing ||
    give_up "apt-get failed. Once the cause above is solved, call make again, or run as root: $by_hand"
}

find_python() {
  for name in python3 python3.11 python3.12 python3.13; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$name"
      return 0
    fi
  done
  give_up "no Python 3.11 or newer with venv was found on PATH: install python3 and python3-venv"
}

# .venv/.stamp names the requirements and the place that .venv was finished for. It goes before anything changes and comes
# back at the end, so a .venv without it was cut short and is made anew; so is one that was moved, whose programs hold paths.
install_python_packages() {
  wanted="$(sha256sum < requirements.txt | cut -c 1-16) $PWD"
  found=$(cat .venv/.stamp 2>/dev/null) || found=none
  [ "$found" != "$wanted" ] || return 0
  if [ "${found#* }" = "$PWD" ]; then
    rm .venv/.stamp
  else
    python=$(find_python)
    say "making .venv with $python"
    "$python" -m venv --clear .venv
  fi
  pip=".venv/bin/python -m pip --disable-pip-version-check install --quiet"
  torch=$(grep '^torch==' requirements.txt)
  say "installing $torch"
  $pip "$torch" || give_up "pip could not install $torch: is the network reachable, is there 10 GB of disk?"
  say "installing the other packages of requirements.txt"
  $pip -r requirements.txt || give_up "pip could not install requirements.txt: see its message above"
  echo "$wanted" > .venv/.stamp
}

if command -v dpkg-query >/dev/null; then
  # shellcheck disable=SC2086 # lists of words
  if [ "${1:-}" = lint ]; then
    install_packages $build_packages $lint_packages
  else
    install_packages $build_packages
  fi
else
  say "this is not Debian: the system's libraries are yours to install, docs/cluster.md lists them"
fi
install_python_packages
