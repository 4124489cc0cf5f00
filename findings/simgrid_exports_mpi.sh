#!/bin/sh
# SimGrid's library exports the functions of MPI under their own names, so link order decides which MPI a program runs.
#
# Seen with: libsimgrid3.32 (Debian 12, 3.32-2) and mpich 5.0.2 (PyPI).
# Behaviour: libsimgrid.so defines MPI_Init, MPI_Comm_rank, MPI_Isend and hundreds more, since it also serves programs
# that SimGrid simulates (SMPI). A program that links SimGrid for its engine, and a real MPI for its ranks, binds all
# MPI calls to SimGrid when SimGrid's library comes first on the link line. It builds and links without a warning. Under
# a real mpiexec, MPI_Init then ends the program with "Your MPI program was not properly initialized".
# What to do: name the MPI library before SimGrid's (cli/CMakeLists.txt does).
# Output seen: "libsimgrid exports 3 of 3, mpich exports 3 of 3".
# Fails if SimGrid no longer exports these names.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q libsimgrid3.32 > /dev/null
dpkg -x libsimgrid3.32_*.deb simgrid
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mpich==5.0.2
simgrid=$(find simgrid -name 'libsimgrid.so.*' -type f | head -n 1)
mpich=$(find venv -name 'libmpi.so.*' -type f | head -n 1)
exported() { nm -D --defined-only "$1" | awk '{ print $3 }' | grep -cxE 'MPI_Init|MPI_Comm_rank|MPI_Isend' || true; }
dpkg-deb --field libsimgrid3.32_*.deb Version
echo "libsimgrid exports $(exported "$simgrid") of 3, mpich exports $(exported "$mpich") of 3"
[ "$(exported "$simgrid")" = 3 ] && [ "$(exported "$mpich")" = 3 ]
