# bash completion for berth(8). Verbs and flags are those of the man page;
# `make lint` compares them with the program's own.
_berth() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' flags='' i root=()
	local verbs='create start run exec kill delete state list ps pause resume update events
		spec features validate checkpoint restore help'
	local create='--bundle --console-socket --pid-file --pidfd-socket --preserve-fds --no-pivot
		--no-new-keyring --dry-run'

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root) root=(--root "${COMP_WORDS[i+1]}"); i=$((i + 1)) ;;
		--log | --log-format | --rootless) i=$((i + 1)) ;;
		-*) ;;
		*) verb=${COMP_WORDS[i]}; break ;;
		esac
	done

	case $prev in
	--bundle | -b | --cwd | --root | --rootfs)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--console-socket | --pid-file | --pidfd-socket | --log | --process | --resources)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--log-format) flags='text json' ;;
	--format | -f) [ "$verb" = delete ] || flags='table json' ;;
	--rootless) flags='true false auto' ;;
	--net) flags='host none' ;;
	--seccomp) flags='default unconfined' ;;
	esac
	if [ -n "$flags" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
		return
	fi

	case $verb in
	'') flags="$verbs --root --log --log-format --debug --systemd-cgroup --rootless --help --version" ;;
	create) flags=$create ;;
	run) flags="$create --detach --keep --rootfs --memory --cpus --pids --read-only --mount --env
		--net --seccomp" ;;
	exec) flags='--process --detach --tty --console-socket --pid-file --pidfd-socket --preserve-fds
		--cwd --env --user --additional-gids --cap --apparmor --process-label --no-new-privs
		--cgroup --ignore-paused' ;;
	kill) flags='--all' ;;
	delete) flags='--force' ;;
	list) flags='--quiet --format --json' ;;
	ps) flags='--format --json' ;;
	update) flags='--resources --memory --memory-reservation --memory-swap --cpu-share --cpu-quota
		--cpu-period --cpu-burst --cpu-rt-runtime --cpu-rt-period --cpu-idle --cpuset-cpus
		--cpuset-mems --pids-limit --blkio-weight --l3-cache-schema --mem-bw-schema' ;;
	events) flags='--stats --interval' ;;
	spec) flags='--bundle --rootless' ;;
	esac
	case $verb in
	start | exec | kill | delete | state | ps | pause | resume | update | events)
		[[ $cur = -* ]] || flags=$(berth "${root[@]}" list --quiet 2>/dev/null) ;;
	validate)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
}
complete -F _berth berth
