#!/usr/bin/env bats
# hcs_install.bats: what `make install` puts there of libberth, used by C and C++
# programs that know pkg-config alone (C32).

# A program that is not built with the sanitizers cannot load the library that is.
# bats file_tags=nosan

load lib.bash
load shim_lib.bash
load hcs_lib.bash

setup_file() {
	it_need pkg-config cc c++ meson
	hcs_up || return 1
	export DEST=$BATS_FILE_TMPDIR/dest
	DESTDIR=$DEST meson install -C "${BERTH_BUILD:-$IT_TOP/build}" --no-rebuild --tags devel >"$BATS_FILE_TMPDIR/install.log"
	PC=$(dirname "$(find "$DEST" -name berth.pc)")
	export PC
}
teardown_file() { hcs_down; }

flags() {
	PKG_CONFIG_SYSROOT_DIR=$DEST PKG_CONFIG_PATH=$PC pkg-config "$@" berth
}

@test "hcs_install: headers, library, links, pkg-config's file, berthctl and the daemon, and nothing else" {
	cd "$DEST"
	run find . -type f -o -type l
	[ "$(echo "$output" | sed 's|.*/||' | sort | tr '\n' ' ')" = \
		"berth.pc berthctl berthd berthd.service berthd.socket computecore.h computedefs.h hcsshim.h libberth.so libberth.so.0 libberth.so.0.1.0 " ]
	[ "$(flags --modversion)" = 0.1.0 ]
}

@test "hcs_install: a C program, and the same as C++" {
	local rpath

	rpath=$(dirname "$(find "$DEST" -name libberth.so)")
	# shellcheck disable=SC2046
	cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -o "$BATS_FILE_TMPDIR/sample" "$IT_TOP/test/hcs/sample.c" \
		$(flags --cflags --libs) -Wl,-rpath,"$rpath"
	# shellcheck disable=SC2046
	c++ -std=c++11 -Wall -Wextra -Werror -x c++ -o "$BATS_FILE_TMPDIR/sample++" "$IT_TOP/test/hcs/sample.c" -x none \
		$(flags --cflags --libs) -Wl,-rpath,"$rpath"
	for program in sample sample++; do
		run ns "$BATS_FILE_TMPDIR/$program" sample-1 "$HCS_ROOTFS"
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$output" = "hello
1
exits 1" ]
	done
}

@test "hcs_install: every header alone, in each standard, without a warning" {
	local h std

	for h in computedefs computecore hcsshim; do
		for std in c99 c11 gnu17; do
			# shellcheck disable=SC2046
			echo "#include <berth/$h.h>" | cc -std=$std -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(flags --cflags) -x c -
		done
		for std in c++11 c++20; do
			# shellcheck disable=SC2046
			echo "#include <berth/$h.h>" | c++ -std=$std -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(flags --cflags) -x c++ -
		done
	done
	# shellcheck disable=SC2046
	printf '#define BERTH_WINDOWS_NAMES\n#include <berth/computecore.h>\nDWORD d; PCWSTR s; HANDLE h;\n' |
		cc -Wall -Werror -fsyntax-only $(flags --cflags) -x c -
}
