# bash completion for berth(8). Verbs and flags come from the program's own
# tables (berth completion), ids from its state root.
_berth() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' words='' i root=()

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
	--console-socket | --pid-file | --pidfd-socket | --log | --process | --resources | --mount)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--log-format) words='text json' ;;
	--format | -f) [ "$verb" = delete ] || words='table json' ;;
	--rootless) words='true false auto' ;;
	--net) words='host none' ;;
	--seccomp) words='default unconfined' ;;
	esac
	if [ -z "$words" ]; then
		# shellcheck disable=SC2086
		words=$(berth completion $verb 2>/dev/null)
		case $verb in
		start | exec | kill | delete | state | ps | pause | resume | update | events)
			[[ $cur = -* ]] || words=$(berth "${root[@]}" list --quiet 2>/dev/null) ;;
		validate)
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
			return ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _berth berth
