#!/usr/bin/env bats
# vm_driver.bats: what runs the tests in virtual machines, here without one.

load lib.bash

# As tools/suite asks for a test that failed: by the words that it was told by, and no others.
@test "the driver of virtual machines runs one test again by its words" {
	cat >"$BATS_TEST_TMPDIR/some.bash" <<-'SH'
		world_of_file() { :; }
		test_one() { true; }
		test_one_more() { printf "no end of line"; false; }
	SH
	driver() {
		unshare -m sh -c 'mount -t tmpfs vm /run && exec bash "$@"' sh "$IT_TOP/test/vm/driver.bash" \
			"$BATS_TEST_TMPDIR/some.bash" "$@" | grep -v '^# '
	}
	[ "$(driver)" = $'ok 1 one\nnot ok 2 one more\n1..2' ]
	[ "$(driver '^one$')" = $'ok 1 one\n1..1' ]
	[ "$(driver '^one more$')" = $'not ok 1 one more\n1..1' ]
}
