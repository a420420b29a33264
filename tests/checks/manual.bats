#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The manual and the completion know what the command table knows.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	steerctl=${STEER_BUILD:-build}/steerctl
}

@test "the manual has every command and every option" {
	missing=0
	mapfile -t names < <("$steerctl" help --names)
	((${#names[@]} > 20))
	for name in "${names[@]}"; do
		case $name in
		-*) pattern="^\.It.* (Fl ${name#-})( |$)" ;;
		*) pattern="^\.It Cm $name( |$)" ;;
		esac
		grep -qE -- "$pattern" user/ctl/steerctl.8 || { echo "missing: $name"; missing=1; }
	done
	((missing == 0))
}

@test "help explains every command" {
	while read -r name; do
		[[ $name == -* ]] && continue
		"$steerctl" help "$name" | grep -q "^usage: steerctl $name"
	done < <("$steerctl" help --names)
}

@test "a command nearly right is met with a suggestion and exit 2" {
	run -2 --separate-stderr "$steerctl" swtich green
	[[ $stderr == "steerctl: there is no command 'swtich' (did you mean 'switch'?)"* ]]
}

@test "a share without unit is met with the share that was meant, before and after options" {
	for share in 5 0.05; do
		run -2 --separate-stderr "$steerctl" set canary "$share" --dry-run
		[[ $stderr == *"write 5%"* ]]
	done
	run -2 --separate-stderr "$steerctl" set canary -5%
	[[ $stderr == *"share '-5%' is outside 0% to 100%"* ]]
}

@test "errors are one JSON object as well" {
	run -2 --separate-stderr "$steerctl" set canary 5 --json
	[[ $output == *'"schema":"steer/1"'*'"ok":false'*'"code":2'* ]]
}

@test "an option of another command is refused" {
	run -2 --separate-stderr "$steerctl" status --step
	[[ $stderr == *"--step is an option of 'rollback' only"* ]]
}

@test "the completion is valid bash" {
	bash -n user/ctl/steerctl.bash
}
