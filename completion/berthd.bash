# bash completion for berthd(8). Verbs and flags come from the program's own
# tables (berthd completion).
_berthd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words

	case $prev in
	--config | -c | --address | -a)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--root | --state)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--log-level | -l) words='error warn info debug' ;;
	--log-format) words='text json journal' ;;
	config) words='default check' ;;
	*) words=$(berthd completion 2>/dev/null) ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _berthd berthd
