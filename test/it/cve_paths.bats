#!/usr/bin/env bats
# cve_paths.bats: what was found in other runtimes with hostile root file
# systems: every test is an attack, named by its number, that a runtime which
# trusts the image's paths falls for. docs/security.md has the whole table, and how
# each test was seen to fail. What an attack would spoil is always the test's own:
# a file, or a sysctl of the container's namespaces. Under sanitizers hostile.bats and
# spec_mounts.bats take the same ways.
# bats file_tags=nosan,long

load lib.bash
load spec_lib.bash

setup_file() {
	it_need cc
	spec_up
	cc -static -O1 -o "$IT_OUT/attack" "$IT_TOP/test/hostile/attack.c"
	cp "$IT_OUT/attack" "$IT_OUT/rootfs/attack"
	# What is outside, at a path that links of the image can name.
	export OUTSIDE=$IT_OUT/outside
	export UP=../../../../../../../../../..$OUTSIDE
}

teardown_file() {
	spec_down
}

setup() {
	export RT=berth
	own_root
	rm -rf "$OUTSIDE"
	mkdir -p "$OUTSIDE/dir"
	echo secret >"$OUTSIDE/file"
	outside >"$BATS_TEST_TMPDIR/before"
}

# Names, types, modes, times and contents of what is outside.
outside() {
	find "$OUTSIDE" -printf '%P %y %m %U %n %s %T@\n' | sort
	cat "$OUTSIDE/file"
}

untouched() {
	outside | diff "$BATS_TEST_TMPDIR/before" - || { echo "changed outside"; return 1; }
	ns sh -c "! grep -q '$OUTSIDE' /proc/mounts"
}

# fails PART STATEMENTS [SCRIPT]: refused in one line with PART; nothing outside
# was touched.
fails() {
	refused "$@" && untouched
}

# inside WANT STATEMENTS SCRIPT: it runs, prints WANT, and nothing outside was touched.
inside() {
	local want=$1

	shift
	ours "$@" || return 1
	[ "$status" = 0 ] || { echo "exit status $status: $output"; return 1; }
	expect "$want" && untouched
}

# naive PATH…: who trusts the image's links makes these, and it shows outside: the
# attack is one. The last thing in a test; each has an outside of its own.
naive() {
	local path

	for path; do
		mkdir -p "$IT_OUT/own$path" 2>/dev/null || echo naive >>"$IT_OUT/own$path"
		if outside | cmp -s "$BATS_TEST_TMPDIR/before" -; then
			echo "the attack is none: $path"
			return 1
		fi
		outside >"$BATS_TEST_TMPDIR/before"
	done
}

# holding SCRIPT: by who has entered the root with a descriptor of the host left open.
holding() {
	# shellcheck disable=SC2016
	ns unshare -mpf --propagation private sh -c \
		'mount -t proc proc "$0/proc" && exec 7</ && exec chroot "$0" /bin/sh -c "$1"' "$IT_OUT/own" "$1"
}

# The same with the runtime of this machine, against which the attack works: that
# shows that it is one.
peer_go() {
	RT=peer
	output=$(go 2>&1) || true
	RT=berth
}

# racing A B: A and B change places all the while; race_over ends it.
racing() {
	"$IT_OUT/attack" swap 7200 "$@" 3>&- 4>&- &
	RACER=$!
}

# How often, unless everything is to be done.
times() {
	if [ -n "${BERTH_SOAK:-}" ]; then echo "$(($1 * 20))"; else echo "$1"; fi
}

race_over() {
	kill "$RACER" || { echo "the attack was over before this"; return 1; }
	wait "$RACER" || true
}

# ---- mount points that are links ---------------------------------------------

@test "CVE-2018-15664 CVE-2019-18837 CVE-2015-1335: mount points that are links lead nowhere outside" {
	ln -s "$UP" "$IT_OUT/own/rel"
	ln -s "$OUTSIDE" "$IT_OUT/own/abs"
	ln -s "$OUTSIDE/file" "$IT_OUT/own/file"
	ln -s "$OUTSIDE/new" "$IT_OUT/own/dangling"
	# A naive runtime mounts over what is outside, or makes the missing there.
	inside 'file here' "$OWN"'
mount("/rel/dir", "tmpfs", "tmpfs"); mount("/abs/dir/sub", "tmpfs", "tmpfs"); mount("/file", out + "/rootfs/data/seed", "bind", "bind")
mount("/dangling", "tmpfs", "tmpfs"); mount("/rel/q", "mqueue", "mqueue"); mount("/abs/cg", "cgroup", "cgroup")
mount("/rel/dev", "devpts", "devpts", "newinstance"); mount("/abs/copy", "tmpfs", "tmpfs", "tmpcopyup"); mount("/rel/ro", out + "/rootfs/data", "bind", "rbind", "ro")
l["devices"] = [{"path": "/abs/null", "type": "c", "major": 1, "minor": 3}, {"path": "/rel2/pipe", "type": "p"}]
l["maskedPaths"] += ["/file2", "/abs/file"]; l["readonlyPaths"] += ["/rel/dir"]; p["cwd"] = "/abs/cwd"' \
		"[ \$(pwd) = $OUTSIDE/cwd ] && [ -c $OUTSIDE/null ] && echo file here"
	naive /rel/dir/sub /abs/cwd /file /dangling
}

@test "CVE-2021-30465: a mount point that changes between a directory and a link" {
	# Every directory is there already, so all that could be seen outside is a mount;
	# only a hook in the container's mount namespace can look, before the root is changed.
	mkdir -p "$IT_OUT/own/vol/a"/{0..15} "$OUTSIDE/dir"/{0..15}
	outside >"$BATS_TEST_TMPDIR/before"
	ln -s "$UP/dir" "$IT_OUT/own/vol/b"
	printf 'grep " %s" /proc/self/mountinfo >>%s\ntrue\n' "$OUTSIDE" "$IT_OUT/mounted" >"$IT_OUT/look"
	: >"$IT_OUT/mounted"
	conf "$OWN"'c["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", out + "/look"]}]}
for n in range(0, 16, 2):
    mount("/vol/a/%d" % n, "tmpfs", "tmpfs"); mount("/vol/a/%d" % (n + 1), out + "/rootfs/data", "bind", "bind")' true
	racing "$IT_OUT/own/vol/a" "$IT_OUT/own/vol/b"
	for _ in $(seq "$(times 40)"); do
		output=$(go 2>&1) || expect_in level=error || break
	done
	# Looking first, then mounting by name, does not help.
	# shellcheck disable=SC2016
	ns unshare -m --propagation private sh -c 'for _ in $(seq 200); do
		[ -L "$0/vol/a" ] || mount -t tmpfs naive "$0/vol/a/0"
		! grep -q " $1" /proc/self/mountinfo || exit 0
	done; echo "the attack is none"; exit 1' "$IT_OUT/own" "$OUTSIDE"
	race_over
	expect '' "$(cat "$IT_OUT/mounted")"
	untouched
}

# slowly CALLS: a script in place of the runtime that looks up, checks and mounts so
# slowly that each of it meets another image; these calls are missing.
slowly() {
	local calls=openat,openat2,fstatfs,mount,move_mount

	printf '#!/bin/sh\nexec env ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" strace -f -qq -o /dev/null -e trace=%s -e inject=%s:delay_enter=150 %s %s "$@"\n' \
		"$calls${1:+,$1}" "$calls" "${1:+-e inject=$1:error=ENOSYS}" "$BERTH" >"$IT_OUT/slow"
	chmod 755 "$IT_OUT/slow"
}

@test "CVE-2021-30465: a mount point that changes after it was looked at" {
	local missing

	it_need strace
	mkdir -p "$IT_OUT/own/vol/a"/{sys,fs,shm} "$OUTSIDE/dir"/{sys,fs,shm}
	outside >"$BATS_TEST_TMPDIR/before"
	# Before the root is changed nothing is mounted outside or on procfs, and what is to be read-only is.
	cat >"$IT_OUT/look" <<-END
		echo hook >>$IT_OUT/hooks
		grep -E ' ($OUTSIDE|$IT_OUT/own/proc/)| $IT_OUT/own/vol/[ab]/(sys|shm) rw' /proc/self/mountinfo >>$IT_OUT/mounted
		true
	END
	: >"$IT_OUT/mounted"
	for missing in '' fsopen,open_tree; do
		slowly "$missing"
		after_looking "$UP/dir" 'mount("/vol/a/fs", "tmpfs", "tmpfs")' || return 1
		after_looking "$UP/dir" 'bind("sys")' || return 1
		after_looking /proc 'mount("/vol/a/fs", "tmpfs", "tmpfs")' || return 1
		after_looking /proc 'bind("sys")' || return 1
		after_looking /dev 'bind("shm")' || return 1
	done
}

# after_looking LINK STATEMENTS: a directory is LINK now and then.
after_looking() {
	local n times=9

	[ "$1" != /dev ] || times=18 # that takes two coincidences

	ln -sfn "$1" "$IT_OUT/own/vol/b"
	conf "$OWN"'bind = lambda to: mount("/vol/a/" + to, out + "/rootfs/data", "bind", "bind", "ro")
c["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", out + "/look"]}]}
'"$2" true || return 1
	: >"$IT_OUT/hooks"
	racing "$IT_OUT/own/vol/a" "$IT_OUT/own/vol/b"
	for ((n = 0; n < $(times "$times") || (n < 200 && $(wc -l <"$IT_OUT/hooks") < 1); n++)); do
		output=$(BERTH=$IT_OUT/slow go 2>&1) || expect_in level=error || { race_over; return 1; }
	done
	race_over
	expect '' "$(cat "$IT_OUT/mounted")" && untouched || { echo "with $1: $2"; return 1; }
	[ -s "$IT_OUT/hooks" ] || { echo "nothing was ever mounted with $1: $output"; return 1; }
}

@test "CVE-2024-45310: missing mount points are made while their parent becomes a link" {
	local i

	mkdir -p "$IT_OUT/own/vol/a"
	ln -s "$UP/dir" "$IT_OUT/own/vol/b"
	racing "$IT_OUT/own/vol/a" "$IT_OUT/own/vol/b"
	for i in $(seq "$(times 40)"); do
		conf "$OWN"'
for n in range(8):
    mount("/vol/a/%d-'"$i"'/d" % n, "tmpfs", "tmpfs"); mount("/vol/a/%d-'"$i"'/f" % n, out + "/rootfs/data/seed", "bind", "bind")
p["cwd"] = "/vol/a/cwd-'"$i"'/x"' true
		output=$(go 2>&1) || expect_in level=error || break
	done
	untouched || { race_over; return 1; }
	for i in $(seq 2000); do
		[ -L "$IT_OUT/own/vol/a" ] || mkdir "$IT_OUT/own/vol/a/naive-$i" 2>/dev/null || true
		[ ! -d "$OUTSIDE/dir/naive-$i" ] || break
	done
	race_over
	[ -d "$OUTSIDE/dir/naive-$i" ] || { echo "the attack is none"; return 1; }
}

@test "CVE-2022-23648: tmpcopyup of a directory that is a link copies nothing from outside" {
	ln -s "$OUTSIDE" "$IT_OUT/own/vol"
	ln -s "$UP" "$IT_OUT/own/rel"
	mkdir "$IT_OUT/own/real"
	ln -s "$OUTSIDE/file" "$IT_OUT/own/real/link"
	mkfifo "$IT_OUT/own/real/pipe"
	inside 'none
none
link
pipe' "$OWN"'mount("/vol", "tmpfs", "tmpfs", "tmpcopyup"); mount("/rel", "tmpfs", "tmpfs", "tmpcopyup"); mount("/real", "tmpfs", "tmpfs", "tmpcopyup")' \
		'for d in /vol /rel; do [ -e $d/file ] && cat $d/file || echo none; done; ls /real; cat /real/link 2>/dev/null || true'
	expect 'secret
secret
secret' "$(cat "$IT_OUT"/own/{vol/file,rel/file,real/link})" # what a naive copy has
}

# ---- /dev ---------------------------------------------------------------------

@test "CVE-2026-41579 CVE-2026-47766: /dev of the image is a link" {
	local kind

	for kind in "$UP/dir" "$OUTSIDE/dir" "$OUTSIDE/none" "/proc/self/root$OUTSIDE/dir"; do
		own_root
		rmdir "$IT_OUT/own/dev"
		ln -s "$kind" "$IT_OUT/own/dev"
		ours "$OWN" 'ls -l /dev/null | cut -c1; echo x >/dev/null && echo ran'
		[ "$status" != 0 ] || expect 'c
ran' || return 1
		untouched || return 1
		# And without a file system of its own on it: the nodes are made there.
		ours "$OWN"'c["mounts"] = [m for m in c["mounts"] if not m["destination"].startswith("/dev")]; p["terminal"] = False' 'echo ran'
		untouched || return 1
	done
	# Into procfs: refused, with the mount's place in the document.
	own_root
	rmdir "$IT_OUT/own/dev"
	ln -s /proc "$IT_OUT/own/dev"
	fails /mounts/1 "$OWN"
	ln -sfn "$UP/dir" "$IT_OUT/own/dev"
	naive /dev/null
}

@test "CVE-2025-52565: /dev/console and /dev/pts are links; the terminal is bound nowhere else" {
	local link

	for link in /proc/sys/kernel/domainname "$OUTSIDE/file" "$UP/file" /etc/target; do
		own_root
		rmdir "$IT_OUT/own/dev/pts" 2>/dev/null || true
		echo target >"$IT_OUT/own/etc/target"
		ln -sfn "$link" "$IT_OUT/own/dev/console"
		conf "$OWN"'p["terminal"] = True; c["mounts"] = [m for m in c["mounts"] if m["destination"] in ("/proc", "/dev/pts")]' 'cat /etc/target; stat -c %F /proc/sys/kernel/domainname'
		output=$(on_tty ns timeout 20 "$BERTH" --root "$IT/berth/root" run -b "$IT_OUT/berth" c </dev/null) || true
		expect_in 'too many levels of symbolic links' "${output,,}" || return 1
		untouched || return 1
		[ "$(cat "$IT_OUT/own/etc/target")" = target ]
	done
	# Devpts itself elsewhere: a link to a directory of the image is no devpts.
	own_root
	mkdir -p "$IT_OUT/own/fake"
	mkfifo "$IT_OUT/own/fake/ptmx"
	ln -s /fake "$IT_OUT/own/dev/pts"
	conf "$OWN"'p["terminal"] = True; c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]' 'echo ran'
	# Whoever opens the false ptmx lets this reader go on.
	timeout 30 cat "$IT_OUT/own/fake/ptmx" 3>&- 4>&- &
	output=$(on_tty ns timeout 20 "$BERTH" --root "$IT/berth/root" run -b "$IT_OUT/berth" c </dev/null) && return 1
	expect_in 'create the terminal: no such device'
	kill $! # it waits still
	wait $! || true
	untouched
	ln -sfn "$UP/file" "$IT_OUT/own/dev/console"
	naive /dev/console
}

@test "CVE-2025-31133 CVE-2025-62161: /dev/null of the image is a link, and the mask is still /dev/null" {
	ln -s /proc/sys/kernel/domainname "$IT_OUT/own/dev/null"
	conf "$OWN"'c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]; l["maskedPaths"] = ["/proc/keys"]' 'ls -l /proc/keys | cut -c1-10; wc -c </proc/keys'
	output=$(go 2>&1)
	expect 'crw-rw-rw-
0'
	untouched
	# The runtime of this machine binds what the link says.
	peer_go
	case $output in *crw-rw-rw-*) echo "the attack is none: $output"; return 1 ;; esac
	# A file of the image, a pipe, another device: none of them becomes the mask.
	for kind in 'echo fake' 'mkfifo' 'mknod'; do
		own_root
		case $kind in
		mkfifo) mkfifo "$IT_OUT/own/dev/null" ;;
		mknod) mknod "$IT_OUT/own/dev/null" c 1 5 ;;
		*) echo fake >"$IT_OUT/own/dev/null" ;;
		esac
		inside 'crw-rw-rw-
0' "$OWN"'c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]; l["maskedPaths"] = ["/proc/keys"]' \
			'ls -l /proc/keys | cut -c1-10; head -c 10 /proc/keys | wc -c' || return 1
	done
}

@test "CVE-2025-31133: the mask while /dev/null is exchanged by somebody who shares /dev" {
	local i

	mkdir -p "$IT_OUT/own/shared"
	mknod -m 666 "$IT_OUT/own/shared/null" c 1 3
	ln -s /proc/sys/kernel/domainname "$IT_OUT/own/shared/evil"
	conf "$OWN"'c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]; mount("/dev", out + "/own/shared", "bind", "bind"); l["maskedPaths"] = ["/proc/keys"]' 'ls -l /proc/keys | cut -c1-10'
	racing "$IT_OUT/own/shared/null" "$IT_OUT/own/shared/evil"
	for i in $(seq "$(times 25)"); do
		output=$(go 2>&1) || { race_over; echo "$output"; return 1; }
		expect_in crw-rw-rw- || { race_over; return 1; }
	done
	race_over
	untouched
}

# ---- /proc and /sys -----------------------------------------------------------

@test "CVE-2019-19921 CVE-2023-27561 CVE-2023-28642 CVE-2025-54867: /proc or /sys of the image is something else" {
	local d kind

	for d in proc sys; do
		for kind in link-dir link-file dangling outside file fifo; do
			own_root
			rmdir "$IT_OUT/own/$d"
			mkdir "$IT_OUT/own/tmp/$d"
			case $kind in
			link-dir) ln -s "/tmp/$d" "$IT_OUT/own/$d" ;;
			link-file) ln -s "/etc/x" "$IT_OUT/own/$d" && touch "$IT_OUT/own/etc/x" ;;
			dangling) ln -s /none "$IT_OUT/own/$d" ;;
			outside) ln -s "$UP/dir" "$IT_OUT/own/$d" ;;
			file) echo x >"$IT_OUT/own/$d" ;;
			fifo) mkfifo "$IT_OUT/own/$d" ;;
			esac
			fails "'/$d'" "$OWN" || { echo "$d $kind"; return 1; }
		done
		rm "$IT_OUT/own/$d"
		ln -s "$UP/dir" "$IT_OUT/own/$d"
		naive "/$d/made-$d"
	done
}

@test "CVE-2019-19921 CVE-2023-27561: /proc is a link just when its files are masked" {
	local i seen=0

	mkdir -p "$IT_OUT/own/vol/fake/sys"
	ln -s /vol/fake "$IT_OUT/own/procl"
	# Whichever of the two names has procfs now: keys is the null device.
	conf "$OWN" 'i=0; while [ $i -lt 40 ]; do for d in proc procl; do [ ! -e /$d/keys ] || stat -c "%F" /$d/keys 2>/dev/null; (echo x >/$d/sys/kernel/hostname) 2>&1 | grep -o "Read-only"; done; i=$((i + 1)); done; true'
	racing "$IT_OUT/own/proc" "$IT_OUT/own/procl"
	for i in $(seq "$(times 40)"); do
		output=$(go 2>&1) || { expect_in level=error || break; continue; }
		case $output in *'regular'*) race_over; echo "not masked: $output"; return 1 ;; esac
		case $output in *'character special file'*) seen=$((seen + 1)) ;; esac
	done
	race_over
	echo "looked at in $seen runs"
	[ "$seen" -gt 0 ]
	untouched
}

@test "CVE-2019-16884 CVE-2015-1334: a false /proc cannot take the label or hide procfs" {
	mkdir -p "$IT_OUT/own/fake"/{self,thread-self}/attr
	touch "$IT_OUT/own/fake"/{self,thread-self}/attr/{exec,current}
	# Nothing but procfs is mounted on or below /proc, by name...
	refused_by_both /proc "$OWN"'mount("/proc", out + "/own/fake", "bind", "bind")'
	refused_by_both /proc "$OWN"'mount("/proc", "tmpfs", "bpf")'
	refused_by_both /proc "$OWN"'mount("/proc/self/attr", out + "/own/fake/self/attr", "bind", "bind")'
	# ... nor by a link of the image.
	ln -s /proc/self/attr "$IT_OUT/own/volume"
	fails /mounts/7 "$OWN"'mount("/volume", out + "/own/fake/self/attr", "bind", "bind")'
	ln -s /proc/self/attr/exec "$IT_OUT/own/file"
	fails /mounts/7 "$OWN"'mount("/file", out + "/own/fake/self/attr/exec", "bind", "bind")'
	# A label that cannot be set is an error, not a write into the image's file.
	rmdir "$IT_OUT/own/proc"
	mv "$IT_OUT/own/fake" "$IT_OUT/own/proc"
	fails pparmor "$OWN"'c["mounts"] = []; l["maskedPaths"] = []; l["readonlyPaths"] = []; p["apparmorProfile"] = "strict"'
	# Nor where there is AppArmor: the kernel's own file is written to. (Here it is
	# pretended, so that the kernel refuses the word.)
	ns sh -c 'mount -t tmpfs none /sys/module && mkdir -p /sys/module/apparmor/parameters &&
		echo Y >/sys/module/apparmor/parameters/enabled'
	fails "apply the AppArmor profile 'strict'" "$OWN"'c["mounts"] = []; l["maskedPaths"] = []; l["readonlyPaths"] = []; p["apparmorProfile"] = "strict"'
	fails "apply the AppArmor profile 'strict'" "$OWN"'l["maskedPaths"] = []; l["readonlyPaths"] = []; p["apparmorProfile"] = "strict"'
	ns umount /sys/module
	expect '' "$(cat "$IT_OUT/own/proc"/{self,thread-self}/attr/{exec,current})"
}

@test "CVE-2025-52881 CVE-2025-62596: sysctl is written to the kernel, not to a file of the image" {
	mkdir -p "$IT_OUT/own/proc/sys/net/ipv4" "$IT_OUT/own/fake/net/ipv4"
	touch "$IT_OUT/own/proc/sys/net/ipv4/ip_forward" "$IT_OUT/own/fake/net/ipv4/ip_forward"
	# No procfs in the container at all, and a file of that name.
	inside '0' "$OWN"'c["mounts"] = []; l["maskedPaths"] = []; l["readonlyPaths"] = []; l["sysctl"] = {"net.ipv4.ip_forward": "1"}' 'stat -c %s /proc/sys/net/ipv4/ip_forward'
	# A link of it that leads elsewhere in procfs: what CVE-2025-52881 wrote to.
	rm "$IT_OUT/own/proc/sys/net/ipv4/ip_forward"
	ln -s ../../kernel/domainname "$IT_OUT/own/proc/sys/net/ipv4/ip_forward"
	inside 1 "$OWN"'l["sysctl"] = {"net.ipv4.ip_forward": "1"}' 'cat /proc/sys/net/ipv4/ip_forward'
	# Through a mount over it: refused by name and by link.
	fails /proc "$OWN"'l["sysctl"] = {"net.ipv4.ip_forward": "1"}; mount("/proc/sys/net", out + "/own/fake/net", "bind", "bind")'
	ln -s /proc/sys/net "$IT_OUT/own/link"
	fails /mounts/7 "$OWN"'l["sysctl"] = {"net.ipv4.ip_forward": "1"}; mount("/link", out + "/own/fake/net", "bind", "bind")'
}

# ---- the working directory, the user's files ----------------------------------

@test "CVE-2024-21626: a working directory by way of a descriptor of the runtime" {
	local fd cwd

	for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
		for cwd in /proc/self/fd/$fd /proc/self/fd/$fd/../.. /proc/thread-self/fd/$fd/; do
			conf "$OWN"'p["cwd"] = "'"$cwd"'"' "cat ./$UP/file; pwd"
			output=$(go 2>&1) && { echo "$cwd: $output"; return 1; }
			case $output in *secret*) return 1 ;; esac
		done
	done
	conf "$OWN" 'exec sleep 600'
	up
	for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
		for cwd in /proc/self/fd/$fd /proc/self/fd/$fd/../..; do
			output=$(rt exec --cwd "$cwd" c cat "./$UP/file" 2>&1) && { echo "exec $cwd: $output"; break 2; }
		done
		case $output in *secret*) break ;; esac
	done
	gone c
	case $output in *secret*) return 1 ;; esac
	untouched
	expect secret "$(holding "cd /proc/self/fd/7 && cat ./$UP/file")"
}

@test "CVE-2024-21626: no directory is made by way of a descriptor of the runtime" {
	local fd

	ln -s /proc/self/fd "$IT_OUT/own/fds"
	for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
		conf "$OWN"'p["cwd"] = "/proc/self/fd/'"$fd/$UP/made-$fd"'"' true
		output=$(go 2>&1) && { echo "fd $fd: $output"; return 1; }
		conf "$OWN"'p["cwd"] = "/fds/'"$fd/$UP/made-too-$fd/x"'"' true
		output=$(go 2>&1) && { echo "fd $fd: $output"; return 1; }
	done
	untouched
	cp -d "$IT_OUT/rootfs/bin/mkdir" "$IT_OUT/own/bin/"
	holding "mkdir -p /proc/self/fd/7/$UP/made /fds/7/$UP/made-too"
	[ -d "$OUTSIDE/made" ] && [ -d "$OUTSIDE/made-too" ]
}

@test "CVE-2024-21626: neither the program nor the user's home is looked up by way of a descriptor of the runtime" {
	local fd

	echo "kay:x:0:0::/from-outside:/bin/sh" >"$OUTSIDE/passwd"
	printf '#!/bin/sh\necho escaped\n' >"$OUTSIDE/prog"
	chmod 755 "$OUTSIDE/prog"
	outside >"$BATS_TEST_TMPDIR/before"
	for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
		ln -sfn "/proc/self/fd/$fd/$UP/passwd" "$IT_OUT/own/etc/passwd"
		ours "$OWN" 'echo "home $HOME"'
		case $output in *from-outside*) echo "fd $fd: $output"; return 1 ;; esac
		conf "$OWN"'p["args"] = ["/proc/self/fd/'"$fd/$UP/prog"'"]'
		output=$(go 2>&1) && { echo "fd $fd: $output"; return 1; }
		case $output in *'permission denied'* | *'no such file or directory'* | *'not a directory'*) ;; *) echo "$output"; return 1 ;; esac
		conf "$OWN"'p["args"] = ["prog"]; p["env"] = ["PATH=/proc/self/fd/'"$fd/$UP"'"]'
		output=$(go 2>&1) && { echo "fd $fd: $output"; return 1; }
		expect_in 'executable file not found' || return 1
	done
	ln -sfn "/proc/self/fd/7/$UP/passwd" "$IT_OUT/own/etc/passwd"
	output=$(holding "cat /etc/passwd; PATH=/proc/self/fd/7/$UP prog")
	expect_in from-outside
	expect_in escaped
}

@test "CVE-2025-24965: no file of a handler is written into, or through, the image" {
	ln -s "$UP/file" "$IT_OUT/own/.krun_config.json"
	ln -s "$UP/file" "$IT_OUT/own/.krun-config.json"
	inside ran "$OWN"'c["annotations"] = {"run.oci.handler": "krun", "krun.ram_mib": "64"}' 'echo ran'
	fails '/vm: is not supported' "$OWN"'c["vm"] = {"kernel": {"path": "/k"}}'
	naive /.krun_config.json /.krun-config.json
}

@test "CVE-2019-10152 CVE-2024-5154 CVE-2018-15664: nothing is written through /etc/mtab, resolv.conf or hosts of the image" {
	local f

	for f in mtab hosts resolv.conf hostname group passwd; do
		ln -s "$UP/new-$f" "$IT_OUT/own/etc/$f"
	done
	inside ran "$OWN"'mount("/etc/resolv.conf", out + "/rootfs/data/seed", "bind", "bind")' 'echo ran'
	own_root
	for f in mtab hosts resolv.conf hostname group passwd; do
		ln -s "$OUTSIDE/file" "$IT_OUT/own/etc/$f"
	done
	inside ran "$OWN"'mount("/etc/hosts", out + "/rootfs/data/seed", "bind", "bind")' 'echo ran'
	naive /etc/mtab /etc/hosts
}
