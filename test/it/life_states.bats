#!/usr/bin/env bats
# life_states.bats: every verb in every state. Exit code, state afterwards and
# the words of the error are runc's; exit code (zero or not) and state crun's.
# bats file_tags=sansoak,long

load lib.bash
load life_lib.bash

setup_file() {
	it_need busybox crun python3
	it_world
	life_up
}

teardown_file() {
	for RT in berth peer crun; do
		life_gone
	done
	it_end
}

VERBS=(
	'state c'
	'start c'
	'pause c'
	'resume c'
	'kill c 0'
	'kill c KILL'
	'kill -a c KILL'
	'kill c NOSUCH'
	'delete c'
	'delete -f c'
	'exec c true'
	'exec c /bin/false'
	'exec c no-such-program'
	'ps -f json c'
	'update --memory 64m c'
	'events --stats c'
)

# all_verbs STATE: a table of what each verb does to a container in this state.
all_verbs() {
	local verb

	for verb in "${VERBS[@]}"; do
		# shellcheck disable=SC2086
		life_cell "$1" $verb || return 1
	done
	life_cell "$1" create -b "$IT/$RT" c || return 1
	life_cell "$1" run -d -b "$IT/$RT" c
}

same_as_runc() {
	both all_verbs "$1"
}

@test "life: no such container: every verb as in runc" { same_as_runc none; }
@test "life: created: every verb as in runc" { same_as_runc created; }
@test "life: running: every verb as in runc" { same_as_runc running; }
@test "life: paused: every verb as in runc" { same_as_runc paused; }
@test "life: stopped: every verb as in runc" { same_as_runc stopped; }

# crun has no `events` and its own opinions on the rest are listed here.
CRUN_VERBS=('state c' 'start c' 'kill c KILL' 'delete c' 'delete -f c' 'exec c true' 'exec c /bin/false')

as_crun() {
	local verb out

	for verb in "${CRUN_VERBS[@]}"; do
		# shellcheck disable=SC2086
		out=$(life_code "$1" $verb) || { echo "$out"; return 1; }
		sed -E 's/exit [1-9][0-9]*/exit error/' <<<"$out"
	done
}

like_crun() {
	RT=berth
	got=$(as_crun "$1") || { echo "$got"; return 1; }
	RT=crun
	want=$(as_crun "$1") || { echo "$want"; return 1; }
	if [ "$got" != "$want" ]; then
		diff <(echo "$want") <(echo "$got")
		return 1
	fi
}

# bats test_tags=nosan
@test "life: no such container: the verbs of crun as in crun" { like_crun none; }
# bats test_tags=nosan
@test "life: created: the verbs of crun as in crun" { like_crun created; }
# bats test_tags=nosan
@test "life: running: the verbs of crun as in crun" { like_crun running; }
# bats test_tags=nosan
@test "life: stopped: the verbs of crun as in crun" { like_crun stopped; }
