# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of whoever sources this
#
# Packages of Debian's, downloaded below a root of apt's own and checked with Debian's
# keyring: nothing is installed, nothing of the system's apt is used or changed, root is
# not needed. What is made of them appears in one rename, or not at all. To be sourced by
# a script under set -eu that sets
#   name           what it fetches, for messages; doing, unless that is "fetching"
#   dest  apt_dir  where the result goes; where apt's roots and the lock are
#   marker         a file of the result that says it is whole
#   refresh        1: fetch what is there already too; what is there stays until then
#   suite section arch     what apt reads
# and calls, in this order
#   apt_begin; make_apt_root; read_index; download PACKAGE...; unpack_debs; put_in_place
# after apt_begin, $part is the directory that becomes $dest; after unpack_debs,
# $part/root holds the files and $part/package a line "PACKAGE VERSION" for each.
#
# OOMLAB_DEBIAN_MIRROR  the archive's URI (default: the one this system's apt uses)
# OOMLAB_REASON_FD      the number 3: why it failed goes there and not to standard error
umask 022
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
index_kib=102400
margin_kib=51200
wait_s=1200
child=
part=

say() { echo "${doing:-fetching} $name: $*" >&2; }

free_kib() { df -Pk "$1" | awk 'NR == 2 { print $4 }'; }

# On a full disk whatever fails is a consequence of that, and the log that says why may be cut.
die() {
	[ -z "$part" ] || [ "$(free_kib "$part")" -ge 64 ] || set -- "no space left in $(dirname "$dest"), at: $*"
	if [ "${OOMLAB_REASON_FD:-}" = 3 ]; then
		echo "$*" >&3
	else
		say "$*"
	fi
	exit 1
}

# A child in the background lets a trap run at once; its output is shown only if it fails.
run() {
	"$@" >"$log" 2>&1 </dev/null &
	child=$!
	status=0
	wait "$child" || status=$?
	child=
	return "$status"
}

leave() {
	status=$?
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill "$child" 2>/dev/null || :
		wait "$child" 2>/dev/null || :
	fi
	[ -z "$part" ] || rm -rf -- "$part"
	exit "$status"
}

# URIs of the system's own sources, likely ones of Debian's archive first.
system_mirrors() {
	# shellcheck disable=SC2016 # the fields are apt's
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
		sed -n 's/^Debian|Debian|//p'
	cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 's/^URIs:[[:space:]]*//p' |
		tr -s '[:space:]' '\n' | grep '/debian/*$' || :
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -n 's/^deb[[:space:]][[:space:]]*\(\[[^]]*\][[:space:]]*\)*\([^[:space:]]*\).*/\2/p' |
		grep '/debian/*$' || :
}

find_mirror() {
	mirror=${OOMLAB_DEBIAN_MIRROR:-$(system_mirrors | grep -v '^cdrom:' | head -n 1)}
	[ -n "$mirror" ] ||
		die "this system's apt has no source of Debian's archive; set OOMLAB_DEBIAN_MIRROR to the URI of one"
}

# need KIB DIR WHAT: is there room?
need() {
	free=$(free_kib "$2")
	[ "$free" -ge "$1" ] ||
		die "no space in $2 for $3: $(($1 / 1024)) MiB needed, $((free / 1024)) MiB free"
}

# A root of apt's own: nothing of the system's sources, state or hooks is used or changed.
make_apt_root() {
	root=$apt_dir/$suite-$arch
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
	: >"$root/status"
	echo "deb [arch=$arch signed-by=$keyring] $mirror $suite $section" >"$root/sources.list"
	cat >"$root/apt.conf" <<-'END'
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Pre-Invoke;
		#clear DPkg::Post-Invoke;
		APT::Architectures {};
		Acquire::Languages "none";
		Acquire::GzipIndexes "true";
		Acquire::PDiffs "false";
		Acquire::Retries "3";
		APT::Get::AllowUnauthenticated "false";
		Dir::Cache::srcpkgcache "";
	END
}

# run apt TOOL ARGUMENTS... in that root
apt() {
	tool=$1
	shift
	set -- -c "$root/apt.conf" -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" \
		-o "Dir::Etc::sourcelist=$root/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- \
		-o "Dir::State=$root" -o "Dir::State::lists=$root/lists" -o "Dir::State::status=$root/status" \
		-o "Dir::Cache=$root/cache" -o "Dir::Cache::pkgcache=$part/pkgcache.bin" "$@"
	[ "$(id -u)" -ne 0 ] || set -- -o APT::Sandbox::User=root "$@"
	run "$tool" -q "$@"
}

# Why apt failed, in one line of its own words.
apt_said() {
	sed -n 's/^[EW]: *//p' "$log" | head -n 1
}

read_index() {
	say "reading the package index of $suite"
	apt apt-get update -o APT::Update::Error-Mode=any && return
	! grep -q 'does not have a Release file\|404 ' "$log" ||
		die "this mirror has no index for the suite $suite: $mirror"
	die "no package index from $mirror: $(apt_said)"
}

# show PACKAGE FIELD: a field of the newest version's entry.
show() {
	apt apt-cache show --no-all-versions "$1" || die "no package $1 in $suite at $mirror"
	sed -n "s/^$2: *//p" "$log" | head -n 1
}

# download WHAT PACKAGE...: WHAT is what there may be no room for.
download() {
	what=$1 need_kib=$margin_kib
	shift
	for p in "$@"; do
		bytes=$(show "$p" Size) && unpacked=$(show "$p" Installed-Size) || exit 1
		need_kib=$((need_kib + ${bytes:-0} / 1024 + ${unpacked:-0}))
	done
	need "$need_kib" "$part" "$what"
	mkdir "$part/debs"
	for p in "$@"; do
		say "downloading $p"
		cd "$part/debs" || exit 1
		apt apt-get download "$p" || die "downloading $p: $(apt_said)"
		cd /
		version=$(show "$p" Version) || exit 1
		echo "$p $version" >>"$part/package" || die "writing $part/package"
	done
}

unpack_debs() {
	say "unpacking"
	mkdir "$part/root"
	for deb in "$part"/debs/*.deb; do
		run dpkg-deb -x "$deb" "$part/root" || die "unpacking ${deb##*/}: $(tail -n 1 "$log")"
	done
	rm -rf "$part/debs"
}

# What a fetch that was killed left: a part is of no use, an old result without a new one is.
clear_remains() {
	for old in "$dest".old.*; do
		[ ! -e "$old" ] || [ -e "$dest" ] || mv -T "$old" "$dest"
	done
	rm -rf -- "$dest".part.* "$dest".old.*
}

# One rename; a result that is being replaced steps aside for the moment in between.
put_in_place() {
	rm -f "$log" "$part/pkgcache.bin"
	trap '' INT TERM HUP
	old=
	if [ -e "$dest" ]; then
		old=$dest.old.$$
		mv -T "$dest" "$old"
	fi
	mv -T "$part" "$dest" || {
		[ -z "$old" ] || mv -T "$old" "$dest"
		exit 1
	}
	part=
	[ -z "$old" ] || rm -rf -- "$old"
}

# Ends the script with 0 where the result is there already, unless it is to be refreshed.
apt_begin() {
	for tool in apt-get apt-cache dpkg-deb flock; do
		command -v "$tool" >/dev/null || die "$tool is not installed: apt-get install apt dpkg util-linux"
	done
	[ -r "$keyring" ] || die "$keyring is not there: apt-get install debian-archive-keyring"
	case $dest in /*) ;; *) dest=$PWD/$dest ;; esac
	mkdir -p "$(dirname "$dest")" "$apt_dir"
	apt_dir=$(cd "$apt_dir" && pwd)

	# One fetch at a time. What it started holds the lock too, so a part that is
	# found with the lock taken belongs to nobody.
	exec 9>"$apt_dir/lock"
	flock -n 9 || {
		say "waiting for another fetch to end"
		flock -w $wait_s 9 || die "another fetch did not end in $((wait_s / 60)) minutes"
	}
	trap leave EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	clear_remains
	[ -n "$refresh" ] || [ ! -e "$dest/$marker" ] || {
		say "is there already"
		exit 0
	}
	part=$dest.part.$$
	log=$part/log
	mkdir "$part"
	find_mirror
	need $index_kib "$apt_dir" "the package index"
	need $index_kib "$part" "the package index"
}
