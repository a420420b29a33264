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
	[[ $("$steerctl" help set --json) == *'"commands":[{"name":"set",'*'}]}' ]]
	[[ $("$steerctl" help set --json) != *'"name":"switch"'* ]]
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

# Words offered after a command line: complete "steerctl WORDS...".
complete_words() {
	# shellcheck source=/dev/null
	source user/ctl/steerctl.bash
	COMP_WORDS=("$steerctl" "$@")
	COMP_CWORD=$#
	_steerctl
	printf '%s\n' "${COMPREPLY[@]}"
}

@test "the completion offers pools, backends and services of the configuration file" {
	export STEER_BPFFS=$BATS_TEST_TMPDIR STEER_STATE=$BATS_TEST_TMPDIR
	export STEER_CONFIG=$BATS_TEST_TMPDIR/steer.yaml
	scripts/lab config any >"$STEER_CONFIG"
	[[ $(complete_words set ca) == canary ]]
	[[ $(complete_words set canary 5% gr) == green ]]
	[[ $(complete_words weight --json blue-) == $'blue-1\nblue-2' ]]
	[[ $(complete_words -s sh) == shop ]]
	[[ $(complete_words --override dr) == drift ]]
	[[ $(complete_words sta) == $'status\nstats' ]]
	[[ $(complete_words set --dry) == --dry-run ]]
	[[ -z $(complete_words rollback --to 1) ]]
}

@test "the manual explains every exit status that the code can give, and is clean groff" {
	while read -r code; do
		grep -qE "^\.It $code$" user/ctl/steerctl.8 || { echo "missing: $code"; false; }
	done < <(grep -oE 'STATUS_[A-Z_]+ = [0-9]+' user/ctl/commands.h | grep -oE '[0-9]+$')
	[[ -z $(LC_ALL=C MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z user/ctl/steerctl.8 2>&1 >/dev/null) ]]
}

@test "the manual names every environment variable that steerctl reads" {
	while read -r name; do
		grep -q "^\.It Ev $name$" user/ctl/steerctl.8 || { echo "missing: $name"; false; }
	done < <(grep -ohE '(getenv|from_environment)\("[A-Z_]+"' user/*/*.c | grep -oE '[A-Z_]{4,}' | sort -u)
}

@test "help fits 80 columns" {
	"$steerctl" help | awk 'length > 80 { print; bad = 1 } END { exit bad }'
	while read -r name; do
		[[ $name == -* ]] || "$steerctl" "$name" --help
	done < <("$steerctl" help --names) | awk 'length > 80 { print; bad = 1 } END { exit bad }'
}

@test "a host where nothing was ever up is told what to do" {
	export STEER_BPFFS=$BATS_TEST_TMPDIR STEER_STATE=$BATS_TEST_TMPDIR
	run -1 --separate-stderr env STEER_CONFIG=/nonexistent "$steerctl" status
	[[ $stderr == *"write it"*"'steerctl check'"*"'steerctl up'"* ]]
	run -2 --separate-stderr env STEER_CONFIG=/nonexistent "$steerctl" check
	[[ $stderr == "steerctl: cannot open configuration '/nonexistent': "* ]]
	run -1 --separate-stderr "$steerctl" history
	[[ $stderr == *"nothing was ever up here"* ]]
}

@test "a lock without a reason, a duration without a unit and a rail that is none are refused" {
	run -2 --separate-stderr "$steerctl" lock
	[[ $stderr == *"lock -m TEXT"* ]]
	run -2 --separate-stderr "$steerctl" lock -m freeze --ttl 5
	[[ $stderr == *"--ttl '5' is not a duration"* ]]
	run -2 --separate-stderr "$steerctl" set canary 5% --override speed
	[[ $stderr == *"health, lock, drift"* ]]
	run -2 --separate-stderr "$steerctl" status -w --json
	[[ $output == *"status --json"* ]]
}

@test "the configurations in the README and the manual are accepted" {
	sed -n '/^```yaml$/,/^```$/p' README.md | grep -v '^```' >"$BATS_TEST_TMPDIR/readme.yaml"
	sed -n '/^interfaces: /,/^\.Ed/p' user/ctl/steerctl.8 | grep -v '^\.Ed' >"$BATS_TEST_TMPDIR/manual.yaml"
	[[ $("$steerctl" check -c "$BATS_TEST_TMPDIR/readme.yaml") == *": 1 service, 5 backends" ]]
	[[ $("$steerctl" check -c "$BATS_TEST_TMPDIR/manual.yaml") == *": 1 service, 3 backends" ]]
}
