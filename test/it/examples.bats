#!/usr/bin/env bats
# examples.bats: the programs of examples/, built against the library as it is
# installed, with pkg-config alone, and run.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash
load ctl_lib.bash

# Installed below a directory of ours: nothing of the source tree is looked at.
setup_file() {
	it_need gcc g++ make pkg-config meson
	ctl_up || return 1
	export DEST=$IT_OUT/dest EXAMPLES=$IT_OUT/examples
	meson install -C "${BERTH_BUILD:-$IT_TOP/build}" --no-rebuild --quiet --tags devel --destdir "$DEST" >"$IT_OUT/install.log" 2>&1 ||
		{ cat "$IT_OUT/install.log" >&2; return 1; }
	cp -r "$IT_TOP/examples" "$EXAMPLES"
	PC=$(dirname "$(find "$DEST" -name berth.pc)")
	export LD_LIBRARY_PATH=${PC%/pkgconfig}
	env PKG_CONFIG_LIBDIR="$PC" PKG_CONFIG_SYSROOT_DIR="$DEST" CFLAGS='-O2 -Wall -Wextra -Werror' \
		make -C "$EXAMPLES" >"$IT_OUT/make.log" 2>&1 || { cat "$IT_OUT/make.log" >&2; return 1; }
}

teardown() { nothing_left; }
teardown_file() { ctl_down; }

run_example() {
	ns timeout --foreground -k 1 60 "$EXAMPLES/$1" "${@:2}" 3>&- 4>&-
}

# Every system has gone with its program.
nothing_left() {
	it_until 30 '[ "$(ctl list -A -q)" = "" ]' || { ctl list -A; return 1; }
}

@test "examples: they link the library and the C library, and find no other header" {
	for program in hello shell supervisor batch; do
		output=$(objdump -p "$EXAMPLES/$program" | awk '$1 == "NEEDED" { print $2 }' | sort)
		expect $'libberth.so.0\nlibc.so.6'
	done
	grep -q '^-I' <(env PKG_CONFIG_LIBDIR="$(dirname "$(find "$DEST" -name berth.pc)")" PKG_CONFIG_SYSROOT_DIR="$DEST" \
		pkg-config --cflags berth)
	expect "$(find "$DEST" -name '*.h' | sed 's#.*/##' | sort)" $'computecore.h\ncomputedefs.h\nhcsshim.h'
}

@test "examples: hello" {
	said 0 run_example hello "$ROOTFS"
	expect 'hello from hello' "$(head -n 1 <<<"$output")"
	expect 0 "$(tail -n 1 <<<"$output" | jq .ExitCode)"
	said 1 run_example hello /no/such/root
	expect_in '/no/such/root'
	said 64 run_example hello
}

@test "examples: hello in C++" {
	said 0 run_example hello++ "$ROOTFS"
	expect 'hello from C++' "$(head -n 1 <<<"$output")"
	said 1 run_example hello++ /no/such/root
	expect_in '/no/such/root'
}

@test "examples: hello in Python" {
	said 0 run_example hello.py "$ROOTFS"
	expect $'hello from Python\nexit code 0'
	said 1 run_example hello.py /no/such/root
	expect_in '/no/such/root'
}

@test "examples: shell: a terminal, its size, an exit code" {
	output=$(type_keys 'echo one $((1+1)); hostname; stty size\r' 'exit 3\r' |
		on_tty ns timeout --foreground 60 "$EXAMPLES/shell" "$ROOTFS") && return 1
	expect_in 'one 2'
	expect_in $'\nshell\n33 99'
	# shellcheck disable=SC2016
	output=$(on_tty ns timeout --foreground 60 sh -c '(sleep 1; stty rows 41 </dev/tty) &
		exec "$0" "$1" sh -c "while ! stty size | grep 41; do sleep 0.1; done"' "$EXAMPLES/shell" "$ROOTFS")
	expect_in '41 99'
	said 4 run_example shell "$ROOTFS" sh -c 'exit 4' </dev/null
}

@test "examples: supervisor: 100 systems in one thread" {
	said 0 run_example supervisor "$ROOTFS" 100
	expect '100 services, 200 processes ended, 0 failures' "$(tail -n 1 <<<"$output")"
	said 1 run_example supervisor /no/such/root 2
	expect '2 services, 0 processes ended, 2 failures' "$(tail -n 1 <<<"$output")"
}

@test "examples: batch: codes in order; what the time ends is cancelled; an interrupt" {
	output=$(printf '%s\n' true false 'exit 3' 'sleep 0.2' 'no-such' | run_example batch -j 2 "$ROOTFS") && return 1
	expect $'code 0\ttrue\ncode 1\tfalse\ncode 3\texit 3\ncode 0\tsleep 0.2\ncode 127\tno-such'
	output=$(printf '%s\n' true true | run_example batch "$ROOTFS")
	expect $'code 0\ttrue\ncode 0\ttrue'
	start=$SECONDS
	output=$(printf '%s\n' true 'sleep 100' 'sleep 101' 'sleep 102' 'sleep 103' | run_example batch -j 3 -t 5 "$ROOTFS") && return 1
	expect $'code 0\ttrue\ncancelled\tsleep 100\ncancelled\tsleep 101\ncancelled\tsleep 102\ncancelled\tsleep 103'
	[ $((SECONDS - start)) -lt 60 ]
	# shellcheck disable=SC2016
	output=$(ns timeout --foreground 60 sh -c 'printf "sleep 100\nsleep 100\n" | "$0" -j 1 "$1" & until pgrep -fx "((/bin/)?sh -c )?sleep 100" >/dev/null; do sleep 0.1; done; pkill -INT -x batch; wait' "$EXAMPLES/batch" "$ROOTFS")
	expect $'cancelled\tsleep 100\ncancelled\tsleep 100'
}
