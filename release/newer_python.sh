#!/usr/bin/env bash
# Makes a folder with a newer Debian in it, for a Python that this system does not have:
#   sudo release/newer_python.sh forky /srv/forky && sudo python release/check.py --root 3.14=/srv/forky
set -euo pipefail
suite=${1:?suite, such as forky} folder=${2:?folder to make}
# An older debootstrap does not know newer suites by name; all are made as sid is.
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,libportaudio2 \
  "$suite" "$folder" http://deb.debian.org/debian /usr/share/debootstrap/scripts/sid
cp -L /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/" # whatever this system trusts
cp -L /etc/resolv.conf "$folder/etc/" 2>/dev/null || true
