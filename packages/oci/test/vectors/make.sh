#!/bin/bash
# Makes the archives of this folder anew. Wants root (owners, devices), GNU tar, bsdtar, setfattr, zstd.
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir -p tree/dir
long=$(printf 'long-%.0s' {1..30})
printf 'hello\n' > tree/dir/file
ln tree/dir/file tree/hard
ln -s dir/file tree/soft
ln -s "$long/target" tree/soft-long
printf 'x' > "tree/$long"
printf 'ü' > "tree/größe"
mkfifo tree/fifo
mknod tree/null c 1 3
mknod tree/disk b 259 70000
printf 'cap' > tree/xattrs
setfattr -n user.binary -v 0x00ff0a3d80 tree/xattrs
setfattr -n user.text -v 'ä=b' tree/xattrs
setfattr -n security.capability -v 0x0100000280000000000000000000000000000000 tree/xattrs
truncate -s 1M tree/sparse
for place in 0 131072 262144 393216 524288 655360; do
  printf 'data at %d' "$place" | dd of=tree/sparse bs=1 seek="$place" conv=notrunc status=none
done
chmod 4755 tree/dir/file
chmod 1777 tree/dir
chown -h 1234:4321 tree/soft
stamp() { find tree -exec touch -h -d '2023-11-14 22:13:20.123456789 UTC' {} +; }
stamp

gnu=(tar --create --directory tree --sort=name --numeric-owner)
plain=(--exclude=./xattrs) # no xattrs outside of PAX
"${gnu[@]}" --format=gnu --sparse "${plain[@]}" . | gzip -9n > "$out/gnu.tar.gz"
posix=(--format=posix --xattrs --xattrs-include='*' --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime)
chown 4294000000:3000000000 tree/dir # ids that octal digits cannot hold
for version in 0.0 0.1 1.0; do
  "${gnu[@]}" "${posix[@]}" --sparse --sparse-version=$version . | gzip -9n > "$out/posix-$version.tar.gz"
done
"${gnu[@]}" "${posix[@]}" . | zstd -19 -q > "$out/posix.tar.zst"
bsdtar --create --format pax --xattrs --numeric-owner --directory tree --file - . | gzip -9n > "$out/bsdtar.tar.gz"
"${gnu[@]}" --format=ustar "${plain[@]}" --exclude=./dir --exclude=./hard --exclude=./disk --exclude=./soft-long \
  --exclude="./$long" . | gzip -9n > "$out/ustar.tar.gz"
rm -f tree/disk "tree/$long" tree/soft-long tree/sparse
stamp
"${gnu[@]}" --format=v7 "${plain[@]}" --exclude=./null --exclude=./fifo --exclude=./dir --exclude=./hard . \
  | gzip -9n > "$out/v7.tar.gz"
