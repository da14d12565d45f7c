# bash completion for berthctl(1). Verbs and flags come from the program's own
# tables (berthctl completion), ids from the systems that are there.
_berthctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' words='' i args=0 ns=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--namespace | -n) ns=(--namespace "${COMP_WORDS[i+1]}"); i=$((i + 1)) ;;
		-*) ;;
		*)
			if [ -z "$verb" ]; then verb=${COMP_WORDS[i]}; else args=$((args + 1)); fi ;;
		esac
	done

	case $prev in
	--rootfs | --cwd | -w)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--file | --mount)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	-f) case $verb in create | run | modify)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	esac ;;
	--state) words='Created Running Paused Stopped Unknown' ;;
	--format) words='table json hcsdiag' ;;
	--net) words='host none' ;;
	esac
	if [ -z "$words" ]; then
		# shellcheck disable=SC2086
		words=$(berthctl completion $verb 2>/dev/null)
		case $verb in
		start | shutdown | terminate | kill | wait | pause | resume | modify | exec | console | read | write | \
			share | inspect | ps | stats | top | events | operations | stacks | rm)
			# What comes after the id is of the system, or the host's.
			if [[ $cur != -* && $args -ge 1 ]]; then
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				return
			fi
			[[ $cur = -* ]] || words=$(berthctl "${ns[@]}" list --quiet 2>/dev/null) ;;
		validate)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _berthctl berthctl
