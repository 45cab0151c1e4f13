#!/usr/bin/env bash
# Builds every image for real and runs what is in it as a container would (make test-images). Needs root, but no container engine.
#
# The base is Debian 12 by debootstrap. Each program runs from its mounted image as the image's user, where the image is read-only and
# nothing but the program itself listens. Then everything is compiled again in another folder: the images must be the same to the byte.
# All of it happens in a mount namespace of this run's own: no mount outlives it, so nothing of the machine is ever reachable below the
# folders used here when they are removed.
#
# buildah's store is kept in ~/.cache/observability-platform/images (XDG_CACHE_HOME), for clones that come and go: the base, and the steps
# of the Dockerfile that buildah finds unchanged. A store older than a week (its Debian packages are), or too big, is made anew.
#
# ARCH=arm64 does it for another processor than this machine's, where qemu-user-static and binfmt_misc let its programs run; once only, as it is slow.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly PROGRAMS=(workload-simulator stream-processor metrics-bridge alert-forwarder console)
readonly RELEASE=bookworm INCLUDE=ca-certificates
OWN_ARCH=$(dpkg --print-architecture)
readonly OWN_ARCH ARCH=${ARCH:-$OWN_ARCH}
readonly WORK=$PWD/build/images AGAIN=$PWD/build/images/again
readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/observability-platform/images
readonly CACHE_DAYS=7 CACHE_MOST_KB=8000000
readonly MOST_BYTES=60000000
readonly MOST_FILES=120
readonly HOST_CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

fail() {
    printf 'test-images: %s\n' "$@" >&2
    exit 1
}

# --- one program, in a network namespace of its own (this script calls itself) ---

# $1: the mounted image, $2: its numeric user, $3: the program, $4…: the image's environment
run_program() {
    local root=$1 user=$2 program=$3
    shift 3
    local environment=("$@" OBS_BUS_URL=embedded:/tmp/bus) log=$WORK/$program.log chroot pid port line why
    chroot=$(command -v chroot)
    mount --bind "$root" "$root"
    mount -o remount,bind,ro "$root"
    if touch "$root/written" 2>/dev/null; then
        fail "$program: the image isn't read-only here"
    fi
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    ip link set lo up
    in_image() { env -i "${environment[@]}" "$chroot" --userspec="$user" --groups='' "$root" "$@"; }

    line=$(in_image "/usr/local/bin/$program" --version)
    if [[ $program == console ]]; then
        echo "a-token-of-this-test-only" >"$root/tmp/token"
        environment+=(OBS_TOKEN_FILE=/tmp/token)
    fi
    port=$(printf '%s\n' "${environment[@]}" | sed -n 's/^OBS_LISTEN=0\.0\.0\.0://p')
    env -i "${environment[@]}" "$chroot" --userspec="$user" --groups='' "$root" "/usr/local/bin/$program" >"$log" 2>&1 &
    pid=$!
    curl --silent --fail --output /dev/null --retry 60 --retry-delay 1 --retry-all-errors "http://127.0.0.1:$port/healthz" ||
        fail "$program: no answer from /healthz on $port" "$(cat "$log")"
    for _ in {1..60}; do # a reader has to be given its partitions first
        if why=$(in_image "/usr/local/bin/$program" --ready 2>&1); then break; fi
        sleep 0.5
    done
    [[ -z $why ]] || fail "$program: --ready: $why" "$(cat "$log")"
    grep -q "^Uid:[[:space:]]*${user%:*}[[:space:]]" "/proc/$pid/status" || fail "$program: doesn't run as $user"
    in_image /usr/local/bin/buscat topics >"$WORK/$program.topics" || fail "$program: buscat topics failed in the image"
    kill -TERM "$pid"
    wait "$pid" || fail "$program: exit $? after SIGTERM" "$(cat "$log")"
    echo "    $line: served /healthz on $port, was ready, as $user, ended by SIGTERM"
}

if [[ ${1:-} == --run-program ]]; then
    shift
    run_program "$@"
    exit
fi

# --- the whole run ---

# What buildah keeps, whatever this machine's settings are; what it mounts is this run's own.
open_store() {
    local kb
    if [[ -n $(find "$CACHE" -maxdepth 1 -name made -mtime "+$CACHE_DAYS") ]]; then
        echo "--- the store is older than $CACHE_DAYS days: made anew"
        rm -rf --one-file-system "$CACHE/store"
    elif [[ -d $CACHE/store ]]; then
        kb=$(du --summarize --one-file-system --block-size=1K "$CACHE/store" | cut -f1)
        if ((kb > CACHE_MOST_KB)); then
            echo "--- the store takes $((kb / 1000)) MB: made anew"
            rm -rf --one-file-system "$CACHE/store"
        fi
    fi
    [[ -d $CACHE/store ]] || touch "$CACHE/made"
    rm -rf --one-file-system "$WORK/run"
    printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' "${STORAGE_DRIVER:-overlay}" "$CACHE/store" "$WORK/run" >"$WORK/storage.conf"
    export CONTAINERS_STORAGE_CONF=$WORK/storage.conf BUILDAH_ISOLATION=chroot
    unset STORAGE_DRIVER
    buildah rm --all >/dev/null # a run that was killed left them
}

# Named after what it is made of.
make_base() {
    base=localhost/observability-base:$RELEASE-$(printf '%s\n' "$RELEASE" "$INCLUDE" "$ARCH" | sha256sum | cut -c1-12)
    if buildah inspect --type image "$base" >/dev/null 2>&1; then
        return
    fi
    echo "--- base: Debian 12 for $ARCH by debootstrap"
    rm -rf --one-file-system "$WORK/rootfs"
    debootstrap --arch="$ARCH" --variant=minbase --include="$INCLUDE" "$RELEASE" "$WORK/rootfs" >"$WORK/debootstrap.log" 2>&1 ||
        fail "debootstrap failed" "$(tail -3 "$WORK/debootstrap.log")"
    import_base "$WORK/rootfs"
    rm -rf --one-file-system "$WORK/rootfs"
}

# $1: a root directory
import_base() {
    local container
    container=$(buildah from scratch)
    tar --create --one-file-system --directory "$1" --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --file "$WORK/base.tar" .
    buildah add --quiet "$container" "$WORK/base.tar" / >/dev/null
    rm "$WORK/base.tar"
    buildah config --arch "$ARCH" --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd /bin/bash "$container"
    buildah commit --quiet --rm "$container" "$base" >/dev/null
}

# $1: the folder of the sources
build_images() {
    local options=(--platform "linux/$ARCH" --build-arg "BASE=$base" --pull=never)
    if [[ -e $HOST_CERTIFICATES ]]; then # a proxy's certificate, if this machine is behind one
        options+=(--volume "$HOST_CERTIFICATES:/run/host-certificates.crt:ro" --build-arg NODE_EXTRA_CA_CERTS=/run/host-certificates.crt)
    fi
    (cd "$1" && ENGINE=buildah scripts/build-images "${options[@]}") >"$WORK/build.log" 2>&1 || fail "building failed" "$(tail -40 "$WORK/build.log")"
}

# The digest of an image's configuration, which names all its layers' digests.
image_id() {
    buildah inspect --type image --format '{{.FromImageID}}' "localhost/$1:local"
}

# For the second time: other folder, other times, and a file more, so that buildah doesn't take the step for the one before. Made before the first
# time, as somebody may work on the tree meanwhile.
copy_sources() {
    rm -rf "$AGAIN" && mkdir "$AGAIN"
    tar --create --exclude=./build --exclude=./var --exclude=./.git --exclude=node_modules . | tar --extract --touch --directory "$AGAIN"
    echo "built again" >"$AGAIN/lib/again.txt"
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
    REVISION=$(git rev-parse HEAD)
    export SOURCE_DATE_EPOCH REVISION
}

# Compiles everything again.
check_reproducible() {
    local program first=()
    for program in "${PROGRAMS[@]}"; do first+=("$(image_id "$program")"); done
    build_images "$AGAIN"
    for program in "${PROGRAMS[@]}"; do
        [[ $(image_id "$program") == "${first[0]}" ]] || fail "$program: built again it is another image" "$(tell_difference "${first[0]}" "$program")"
        first=("${first[@]:1}")
    done
    rm -rf "$AGAIN"
}

# $1: an image, $2: a program whose image is another
tell_difference() {
    local one other
    one=$(buildah mount "$(buildah from --pull=never "$1")")
    other=$(buildah mount "$(buildah from --pull=never "localhost/$2:local")")
    diff --brief --recursive --no-dereference "$one" "$other" || true
    diff <(cd "$one" && find . -mindepth 1 -printf '%p %M %T@\n' | sort) <(cd "$other" && find . -mindepth 1 -printf '%p %M %T@\n' | sort) || true
}

# $1: the mounted image, $2: the program
check_files() {
    local files bytes found
    files=$(find "$1" -type f | wc -l)
    bytes=$(du --summarize --apparent-size --bytes "$1" | cut -f1)
    ((bytes <= MOST_BYTES)) || fail "$2: $bytes bytes, more than $MOST_BYTES"
    ((files <= MOST_FILES)) || fail "$2: $files files, more than $MOST_FILES" "$(cd "$1" && find . -type f)"
    found=$(find "$1" \( -name 'sh' -o -name '*bash' -o -name 'dash' -o -name 'busybox' -o -name 'apt*' -o -name 'dpkg*' -o -perm /6000 \))
    [[ -z $found ]] || fail "$2: has what it shouldn't" "$found"
    awk -v bytes="$bytes" -v files="$files" 'BEGIN { printf "    %.1f MB in %d files\n", bytes / 1e6, files }'
}

# $1: the program
check_image() {
    local container root user environment
    echo "--- $1:local"
    container=$(buildah from --pull=never "localhost/$1:local")
    root=$(buildah mount "$container")
    user=$(buildah inspect --type image "localhost/$1:local" | jq --raw-output .OCIv1.config.User)
    mapfile -t environment < <(buildah inspect --type image "localhost/$1:local" | jq --raw-output '.OCIv1.config.Env[]')
    [[ $(buildah inspect --type image "localhost/$1:local" | jq --raw-output .OCIv1.architecture) == "$ARCH" ]] || fail "$1: isn't for $ARCH"
    [[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || fail "$1: its user '$user' isn't numeric, or is root"
    [[ $(buildah inspect --type image "localhost/$1:local" | jq --raw-output '.OCIv1.config.Entrypoint[0]') == "/usr/local/bin/$1" ]] ||
        fail "$1: its entry point is another program"
    check_files "$root" "$1"
    unshare --mount --net --propagation private "$0" --run-program "$root" "$user" "$1" "${environment[@]}"
    buildah umount "$container" >/dev/null
    buildah rm "$container" >/dev/null
}

if [[ ${OBS_OWN_MOUNTS:-} != yes ]]; then
    ((EUID == 0)) || fail "needs root: it mounts and changes roots (sudo make test-images)"
    OBS_OWN_MOUNTS=yes exec unshare --mount --propagation private "$0" "$@"
fi

if [[ $ARCH != "$OWN_ARCH" ]] && ! grep -qs '^enabled' /proc/sys/fs/binfmt_misc/qemu-*; then
    fail "nothing here runs programs for $ARCH: apt-get install qemu-user-static binfmt-support"
fi
mkdir -p "$WORK" "$CACHE"
exec 9>"$CACHE/lock"
flock --nonblock 9 || { echo "--- another run has the store: waiting" && flock 9; }
open_store
make_base
echo "--- the images"
copy_sources
build_images "$PWD"
for program in "${PROGRAMS[@]}"; do
    check_image "$program"
done
if [[ $ARCH != "$OWN_ARCH" ]]; then
    echo "test-images: ${#PROGRAMS[@]} images for $ARCH are small, closed and run"
    exit
fi
echo "--- the images again, in another folder"
check_reproducible
echo "test-images: ${#PROGRAMS[@]} images are small, closed, run, and are the same when built again"
