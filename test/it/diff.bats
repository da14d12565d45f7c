#!/usr/bin/env bats
# The same paths of the same program as in the other files: once is enough.
# bats file_tags=nosan
# diff.bats: generated config.json files under berth, runc and crun, with an
# inspector inside that prints what it sees (test/diff/run). What differs is in
# the table of test/diff/known.py, with a reason, or fails. BERTH_SOAK=1 runs
# 10,000 instead of 500; BERTH_DIFF_SEED=N others.

# Before lib.bash, which has the time of an ordinary test.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-450}
load lib.bash

setup_file() {
	it_need busybox python3 cc runc crun
	it_berth
}

@test "diff: berth's containers are those of runc and crun" {
	local count=500

	[ -z "${BERTH_SOAK:-}" ] || count=10000
	run "$IT_TOP/test/diff/run" --seed "${BERTH_DIFF_SEED:-1}" --count "${BERTH_DIFF_COUNT:-$count}"
	printf '%s\n' "$output"
	[ "$status" = 0 ]
}
