#!/usr/bin/env bash
# Fetches shim, GRUB and systemd-boot of Debian trixie for arm64 into a folder; nothing of them is run here.
#   arm64-boot-files.sh FOLDER      as root; needs mmdebstrap
set -euo pipefail
folder=$1
[ ! -e "$folder/usr" ] || exit 0
partial=$folder.partial
rm -rf "$partial"
# Nothing is installed: mmdebstrap sets up apt for the other architecture, and the hook does the rest.
# shellcheck disable=SC2016
mmdebstrap --quiet --mode=root --variant=extract --architectures=arm64 --format=directory --skip=cleanup \
  --extract-hook='cd "$1" && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
    apt-get -qq -o APT::Sandbox::User=root download shim-signed grub-efi-arm64-signed systemd-boot-efi &&
    for package in *.deb; do dpkg-deb -x "$package" . || exit; done' trixie "$partial"
mkdir -p "$folder"
mv "$partial/usr" "$folder/usr"
rm -rf "$partial"
