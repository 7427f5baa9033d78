#!/usr/bin/env bash
# Adds a layer to an image of Debian: LVM, LUKS, xfs and btrfs in the system and in its initramfs.
#   storage-image.sh BASE FOLDER      as root; needs umoci
# BASE holds `oci/` and `info.json` and is left as it is; FOLDER gets `oci/`, `image.oci.tar`, `info.json`.
# Packages come from where the base image's own apt gets them.
set -euo pipefail
base=$1 folder=$2
packages=(btrfs-progs cryptsetup-bin dmsetup lvm2 systemd-cryptsetup xfsprogs)

key=$(cat "$0" "$base/oci/index.json" | sha256sum)
if [ "$(cat "$folder/.key" 2> /dev/null)" = "$key" ]; then exit 0; fi
partial=$folder.partial
rm -rf "$folder" "$partial"
mkdir -p "$partial"
trap 'rm -rf "$partial"' EXIT
cp -r "$base/oci" "$partial/oci"
umoci unpack --image "$partial/oci:latest" "$partial/bundle"
root=$partial/bundle/rootfs
version=$(basename "$root"/usr/lib/modules/*)

# Mounts live in a namespace of their own and vanish with it.
in_root() {
  unshare --mount --pid --fork --kill-child -- bash -c '
    set -e; root=$1; shift; mount --make-rprivate /
    mount -t proc proc "$root/proc"; mount --rbind /sys "$root/sys"; mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"; mount -t tmpfs tmpfs "$root/tmp"; mount -t tmpfs tmpfs "$root/var/lib/apt/lists"
    mkdir -p "$root/run/systemd/resolve"; cp -L /etc/resolv.conf "$root/run/systemd/resolve/stub-resolv.conf"
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 INITRD=No \
      DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=1750000000 "$@"' in_root "$root" "$@"
}
# shellcheck disable=SC2016
in_root sh -ec '
  apt-get update -qq
  apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Options::=--force-unsafe-io "$@"
  apt-get clean' install "${packages[@]}"
in_root dracut --quiet --force --no-hostonly --no-hostonly-cmdline --reproducible --zstd --kver "$version" \
  --add "ostree systemd systemd-initrd dm lvm crypt systemd-cryptsetup btrfs" \
  --add-drivers "dm-mod dm-crypt erofs overlay loop ext4 xfs btrfs vfat virtio_blk virtio_scsi virtio_pci nvme ahci sd_mod" \
  --omit "plymouth network network-manager systemd-networkd nfs iscsi cifs nbd dmraid mdraid multipath i18n resume lunmask memstrack" \
  --nomdadmconf --nolvmconf "/usr/lib/modules/$version/initramfs.img"
chmod 0600 "$root/usr/lib/modules/$version/initramfs.img"
find "$root/var/log" -type f -delete
rm -rf "$root"/var/cache/debconf/*-old "$root"/usr/lib/sysimage/dpkg/*-old

umoci repack --image "$partial/oci:latest" --history.created_by "RUN apt-get install ${packages[*]} && dracut" \
  "$partial/bundle"
umoci gc --layout "$partial/oci"
rm -rf "$partial/bundle"
tar -cf "$partial/image.oci.tar" -C "$partial/oci" .
cp "$base/info.json" "$partial/info.json"
echo "$key" > "$partial/.key"
mv "$partial" "$folder"
