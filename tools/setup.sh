#!/bin/sh
# setup.sh [program|tests|climate|lint]: installs what is missing on a Debian machine: system packages, then Python packages
# into .venv in the tree. A second call finds nothing missing and returns at once.
#   program  packages to build and run the program (the default)
#   climate  program, and the packages of the climate experiment
#   tests    climate, and the packages of the tests
#   lint     tests, and clang-tidy
# Exit 2: you must do something by hand, as the message says.
set -eu
cd "$(dirname "$0")/.."

program_packages="ca-certificates cmake ninja-build g++ pkg-config python3 python3-venv
  libgdal-dev libnetcdf-dev libhdf5-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev
  libsimgrid-dev libblosc-dev libzstd-dev zlib1g-dev libminizip-dev liblz4-dev liblzma-dev libbz2-dev"
# clang-format, because `make test` checks the format; a browser without windows, because a test looks at the report's page.
test_packages="libgtest-dev libgmock-dev libbenchmark-dev clang-format-14 chromium-headless-shell"
lint_packages="clang-tidy-14"

wanted=${1:-program}
case "$wanted" in
  program) packages="$program_packages" lists="program" ;;
  climate) packages="$program_packages" lists="program climate" ;;
  tests) packages="$program_packages $test_packages" lists="program climate tests" ;;
  lint) packages="$program_packages $test_packages $lint_packages" lists="program climate tests" ;;
  *) echo "[setup] '$wanted' is unknown: choose program, tests, climate or lint" >&2; exit 2 ;;
esac

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
  say "installing Debian packages, some minutes: $missing"
  $as_root dpkg --configure -a || true # completes an interrupted installation
  $as_root apt-get update -q || say "apt-get update failed: continuing with the existing package lists"
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

# .venv/.stamp has the path of the tree, and .venv/.LIST the checksum of the list that was installed. Both are written at the
# end. A .venv without .stamp was interrupted and is made again. So is one in a tree that was moved, because its programs
# contain paths.
make_venv() {
  if [ "$(cat .venv/.stamp 2>/dev/null)" = "$PWD" ]; then
    return 0
  fi
  python=$(find_python)
  say "making .venv with $python"
  "$python" -m venv --clear .venv
  echo "$PWD" > .venv/.stamp
}

install_list() {
  contents=$(sha256sum < "tools/requirements/$1.txt" | cut -c 1-16)
  [ "$(cat ".venv/.$1" 2>/dev/null)" != "$contents" ] || return 0
  rm -f ".venv/.$1"
  pip=".venv/bin/python -m pip --disable-pip-version-check install --quiet"
  if torch=$(grep '^torch==' "tools/requirements/$1.txt"); then
    say "installing $torch: the largest package, some minutes"
    $pip "$torch" || give_up "pip could not install $torch: is the network reachable, is there 10 GB of disk?"
  fi
  say "installing the packages of tools/requirements/$1.txt"
  $pip -r "tools/requirements/$1.txt" || give_up "pip could not install tools/requirements/$1.txt: see its message above"
  echo "$contents" > ".venv/.$1"
}

if command -v dpkg-query >/dev/null; then
  # shellcheck disable=SC2086 # a list of words
  install_packages $packages
else
  say "this is not Debian: install the system libraries yourself, docs/cluster.md lists them"
fi
make_venv
for list in $lists; do
  install_list "$list"
done
