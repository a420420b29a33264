# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Completion of steerctl for bash: what "steerctl help --names" prints, and pools from "get".
_steerctl() {
	local current=${COMP_WORDS[COMP_CWORD]} words

	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	set | get | switch)
		words=$("${COMP_WORDS[0]}" get --json 2>/dev/null |
			grep -o '"pool":"[^"]*"' | cut -d'"' -f4)
		;;
	*)
		words=$("${COMP_WORDS[0]}" help --names 2>/dev/null)
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _steerctl steerctl
