# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Completion of steerctl for bash: what "steerctl help --names" prints, and names of services,
# pools, backends and revisions from "help --names KIND". Those come from the running steerer
# for root, else from the configuration file.

# Print the options given so far that decide what steerctl looks at.
_steerctl_scope() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config | --instance | -s | --service)
			((++i < COMP_CWORD)) || return
			printf '%s\n' "${COMP_WORDS[i - 1]}" "${COMP_WORDS[i]}"
			;;
		esac
	done
}

# The command on the line so far, "" if none; $1 are the names of commands and options.
_steerctl_command() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] && continue
		if [[ $'\n'$1$'\n' == *$'\n'"${COMP_WORDS[i]}"$'\n'* ]]; then
			printf '%s' "${COMP_WORDS[i]}"
			return
		fi
	done
}

_steerctl() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local names kind=""
	local -a scope

	names=$("${COMP_WORDS[0]}" help --names 2>/dev/null)
	case $before in
	-c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--instance | -m | --reason | --if-rev | --timeout | --ttl | --confirm-within | --idle | \
		--each | --max-unavailable) return ;;
	--hook | --check)
		mapfile -t COMPREPLY < <(compgen -c -- "$current")
		return
		;;
	--override) names="health lock drift window" ;;
	-s | --service) kind=services ;;
	--to) kind=revisions ;;
	*)
		case $(_steerctl_command "$names") in
		set | get | switch | rolling) kind=pools ;;
		weight) kind=backends ;;
		drain | maint | ready) kind=named ;;
		wait)
			kind=named
			[[ $before != wait ]] || kind="" names=drained
			;;
		diff | tag) kind=revisions ;;
		help) names=$(grep -v '^-' <<<"$names") ;;
		"") ;;
		*) names=$(grep '^-' <<<"$names") ;;
		esac
		[[ $current != -* ]] || kind=""
		;;
	esac
	if [[ $kind ]]; then
		mapfile -t scope < <(_steerctl_scope)
		names=$("${COMP_WORDS[0]}" "${scope[@]}" help --names "$kind" 2>/dev/null)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
}
complete -F _steerctl steerctl
